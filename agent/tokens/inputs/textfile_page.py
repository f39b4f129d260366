"""One file of job counters in the text format of Prometheus: samples out, and what is wrong line by line."""

from dataclasses import dataclass, field

from wattledger.rules.tokens.model import TokenKind

from .base import TOKENS_LIMIT, name_problem

FAMILY = "wattledger_job_tokens_total"
_LABELS = frozenset({"job", "kind", "model", "pid", "gpu"})
_LINE_CHARACTERS = 4096
_SAMPLES_LIMIT = 1024
_LIST_LIMIT = 64


@dataclass(frozen=True, slots=True)
class JobSample:
    """One counter of one job. `pids` are as written, `gpus` are indices or uuids; one of the two is empty."""

    job: str
    kind: TokenKind
    model: str
    pids: tuple[int, ...]
    gpus: tuple[str, ...]
    value: int
    line: int


@dataclass(slots=True)
class JobPage:
    """What a file holds: `problems` by line, and 0 for the file as a whole."""

    samples: list[JobSample] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


class _Wrong(Exception):  # noqa: N818  (it says what a line is)
    """A line that says nothing; the message is the problem and its cure."""


def parse_page(text: str) -> JobPage:
    """Read a file. Lines of other families are left alone; so is a last line without an end, which is half a line."""
    page = JobPage()
    lines = text.split("\n")
    unfinished = lines.pop()
    seen: set[tuple[object, ...]] = set()
    for number, line in enumerate(lines, start=1):
        if not _is_ours(line):
            continue
        if len(seen) >= _SAMPLES_LIMIT:
            page.problems[number] = f"has more than {_SAMPLES_LIMIT} samples; the rest is not read"
            break
        try:
            sample = _sample(line, number)
        except _Wrong as wrong:
            page.problems[number] = str(wrong)
            continue
        identity = (sample.job, sample.kind, sample.model, sample.pids, sample.gpus)
        if identity in seen:
            page.problems[number] = "has the same labels as a line before; write each counter once"
            continue
        seen.add(identity)
        page.samples.append(sample)
    if _is_ours(unfinished):
        page.problems[len(lines) + 1] = (
            "ends in the middle of a line; end it with \\n, and rename a finished file here"
        )
    return page


def _is_ours(line: str) -> bool:
    rest = line.lstrip(" \t")
    return rest.startswith(FAMILY) and not rest[len(FAMILY) : len(FAMILY) + 1].isalnum()


def _sample(line: str, number: int) -> JobSample:
    if len(line) > _LINE_CHARACTERS:
        raise _Wrong(f"is longer than {_LINE_CHARACTERS} characters")
    labels, value = _parsed(line)
    if unknown := sorted(labels.keys() - _LABELS):
        raise _Wrong(f"has the label {unknown[0]}; the labels are {', '.join(sorted(_LABELS))}")
    job, model = labels.get("job", ""), labels.get("model", "")
    if problem := name_problem('label job (as in job="pretrain")', job) or (
        name_problem("label model", model) if model else ""
    ):
        raise _Wrong(problem)
    pids, gpus = _list(labels.get("pid", "")), _list(labels.get("gpu", ""))
    if bool(pids) == bool(gpus):
        raise _Wrong('needs one of pid="123" and gpu="0,1": without it nobody knows what the job runs on')
    if not all(pid.isascii() and pid.isdecimal() and 0 < int(pid[:10]) < 2**31 for pid in pids):
        raise _Wrong(f'pid="{labels["pid"]}" is no process number')
    return JobSample(
        job=job,
        kind=_kind(labels.get("kind", TokenKind.OUTPUT.value)),
        model=model,
        pids=tuple(dict.fromkeys(int(pid[:10]) for pid in pids)),
        gpus=tuple(dict.fromkeys(gpus)),
        value=_whole(value),
        line=number,
    )


def _parsed(line: str) -> tuple[dict[str, str], float]:
    # Only needed where somebody drops such files.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    try:
        samples = [sample for family in text_string_to_metric_families(line) for sample in family.samples]
    except (ValueError, KeyError, IndexError) as error:
        raise _Wrong(f"is not in the text format: {error}") from None
    if len(samples) != 1 or samples[0].name != FAMILY:
        raise _Wrong("is not in the text format")
    if samples[0].timestamp is not None:
        raise _Wrong("has a time stamp; leave it out, the time is that of the file")
    return dict(samples[0].labels), samples[0].value


def _kind(text: str) -> TokenKind:
    try:
        return TokenKind(text)
    except ValueError:
        raise _Wrong(f'kind="{text}" is none of {", ".join(kind.value for kind in TokenKind)}') from None


def _whole(value: float) -> int:
    if not 0 <= value <= TOKENS_LIMIT:  # not for NaN either
        raise _Wrong(f"has the value {value:g}; write a number of tokens from 0 to 2^53")
    return int(value)


def _list(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if len(found) > _LIST_LIMIT:
        raise _Wrong(f"names more than {_LIST_LIMIT} processes or GPUs")
    return found
