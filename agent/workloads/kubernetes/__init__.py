"""The pods of this node: the kubelet's answer, read and put into a table; how a pod is shown is not its matter."""
