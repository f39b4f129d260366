{{- define "wattledger.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "wattledger.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "wattledger.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "wattledger.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wattledger.selectorLabels" -}}
app.kubernetes.io/name: {{ include "wattledger.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of an object: `list . LABELS`. The user's replace the chart's, but not those by which the pods are found. */}}
{{- define "wattledger.labels" -}}
{{- $root := index . 0 -}}
{{- $chart := printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- $labels := dict
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/component" "agent"
  "app.kubernetes.io/part-of" "wattledger"
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" $chart
-}}
{{- $found := include "wattledger.selectorLabels" $root | fromYaml -}}
{{- toYaml (mergeOverwrite $labels (deepCopy (default dict $root.Values.commonLabels)) (deepCopy (default dict (index . 1))) $found) -}}
{{- end -}}

{{- define "wattledger.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "wattledger.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "wattledger.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "wattledger.hostNetwork" -}}
{{- if and .Values.discovery.enabled .Values.discovery.hostNetwork -}}true{{- end -}}
{{- end -}}

{{/* The web configuration that the chart writes, empty where there is none or where it is a Secret of the user's. */}}
{{- define "wattledger.webConfig" -}}
{{- $config := deepCopy (default dict .Values.web.config) -}}
{{- if and .Values.web.tlsSecret (not .Values.web.existingSecret) (not (hasKey $config "tls_server_config")) -}}
{{- $_ := set $config "tls_server_config" (dict "cert_file" "tls.crt" "key_file" "tls.key") -}}
{{- end -}}
{{- if $config -}}{{ toYaml $config }}{{- end -}}
{{- end -}}

{{- define "wattledger.webSecret" -}}
{{- if .Values.web.existingSecret -}}
{{- .Values.web.existingSecret -}}
{{- else if include "wattledger.webConfig" . -}}
{{- printf "%s-web" (include "wattledger.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "wattledger.scheme" -}}
{{- if .Values.web.existingSecret -}}
{{- .Values.web.scheme -}}
{{- else if hasKey (include "wattledger.webConfig" . | fromYaml) "tls_server_config" -}}
https
{{- else -}}
http
{{- end -}}
{{- end -}}

{{/* Whether the page turns away who has no password or certificate, the kubelet included. */}}
{{- define "wattledger.guarded" -}}
{{- if .Values.web.existingSecret -}}
{{- if .Values.web.authentication -}}true{{- end -}}
{{- else -}}
{{- $config := include "wattledger.webConfig" . | fromYaml -}}
{{- $tls := default dict $config.tls_server_config -}}
{{- if or $config.basic_auth_users $tls.client_ca_file (not (has (default "NoClientCert" $tls.client_auth_type) (list "NoClientCert" "VerifyClientCertIfGiven"))) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "wattledger.probe" -}}
{{- $probe := .probe -}}
{{- if include "wattledger.guarded" .root -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: {{ include "wattledger.scheme" .root | upper }}
{{- end }}
periodSeconds: {{ $probe.periodSeconds }}
failureThreshold: {{ $probe.failureThreshold }}
timeoutSeconds: {{ $probe.timeoutSeconds }}
{{- end -}}

{{/*
The user's affinity; where the GPU Operator has marked the node, only while it allows clients of the driver there.
Terms are alternatives, so each of the user's is written twice: with the label at "true", and without the label.
*/}}
{{- define "wattledger.affinity" -}}
{{- $affinity := deepCopy (default dict .Values.affinity) -}}
{{- if .Values.yieldToGpuOperator -}}
{{- $node := default dict $affinity.nodeAffinity -}}
{{- $required := default dict $node.requiredDuringSchedulingIgnoredDuringExecution -}}
{{- $label := "nvidia.com/gpu.deploy.client" -}}
{{- $allowed := dict "key" $label "operator" "In" "values" (list "true") -}}
{{- $unmarked := dict "key" $label "operator" "DoesNotExist" -}}
{{- $terms := list -}}
{{- range $term := default (list (dict)) $required.nodeSelectorTerms -}}
{{- range $rule := list $allowed $unmarked -}}
{{- $both := deepCopy $term -}}
{{- $_ := set $both "matchExpressions" (append (default list $term.matchExpressions) $rule) -}}
{{- $terms = append $terms $both -}}
{{- end -}}
{{- end -}}
{{- $_ := set $node "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) -}}
{{- $_ := set $affinity "nodeAffinity" $node -}}
{{- end -}}
{{- if $affinity -}}{{ toYaml $affinity }}{{- end -}}
{{- end -}}

{{- define "wattledger.relabelings" -}}
# The host and not the pod: a new pod after an upgrade carries its series on.
- sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: instance
  action: replace
- targetLabel: job
  replacement: wattledger
  action: replace
{{- if .Values.monitor.dropTargetLabels }}
- regex: namespace|pod|container|endpoint|service
  action: labeldrop
{{- end }}
{{- with .Values.monitor.relabelings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "wattledger.endpoint" -}}
port: metrics
path: /metrics
scheme: {{ include "wattledger.scheme" . }}
interval: {{ .Values.monitor.interval }}
scrapeTimeout: {{ .Values.monitor.scrapeTimeout }}
honorLabels: false
{{- with .Values.monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
relabelings:
{{ include "wattledger.relabelings" . }}
{{- with .Values.monitor.metricRelabelings }}
metricRelabelings:
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What no schema can tell: values that contradict each other, each with its cure. */}}
{{- define "wattledger.contradictions" -}}
{{- $config := .Values.config -}}
{{- if kindIs "string" $config -}}
{{- $config = fromYaml $config -}}
{{- if hasKey $config "Error" -}}{{- fail (printf "config: is no YAML: %s" $config.Error) -}}{{- end -}}
{{- end -}}
{{- range $key, $cure := dict "listen" "set `port`" "state_dir" "set `state`" "source" "set `source` of the chart" "web_config" "set `web`" -}}
{{- if hasKey (default dict $config) $key -}}
{{- fail (printf "config.%s: is the chart's; leave it out and %s" $key $cure) -}}
{{- end -}}
{{- end -}}
{{- if hasKey .Values.configFiles "wattledger.yaml" -}}
{{- fail "configFiles: wattledger.yaml is the configuration itself; write it below `config`" -}}
{{- end -}}
{{- if and .Values.web.existingSecret .Values.web.config -}}
{{- fail "web: has both existingSecret and config; leave one of them out" -}}
{{- end -}}
{{- if and .Values.web.existingSecret .Values.web.tlsSecret (ne .Values.web.scheme "https") -}}
{{- fail "web.scheme: is http beside a tlsSecret, so that probes and Prometheus would be turned away; set it to https, or leave tlsSecret out" -}}
{{- end -}}
{{- if and .Values.mig.monitorDevices (not .Values.mig.sysAdmin) -}}
{{- fail "mig.monitorDevices: NVIDIA's toolkit refuses a container that has NVIDIA_MIG_MONITOR_DEVICES without SYS_ADMIN; leave it out, or set mig.sysAdmin too" -}}
{{- end -}}
{{- if and .Values.discovery.enabled (not .Values.hostPID) -}}
{{- fail "discovery.enabled: servers are found through the processes of the node; set hostPID too" -}}
{{- end -}}
{{- range $pack := .Values.prometheusRule.packs -}}
{{- if not ($.Files.Get (printf "rules/%s.yml" $pack)) -}}
{{- fail (printf "prometheusRule.packs: there is no pack %s in this chart" $pack) -}}
{{- end -}}
{{- end -}}
{{- end -}}
