"""Nothing is ever written to a GPU: which functions of the driver library are named, and which are looked up."""

import ast
import re
from pathlib import Path

from tests.agent.sources.nvml_child import REPOSITORY, SourceChild
from tests.nvml.double import NvmlDouble

# What changes nothing outside this process: questions, and what is held for them. Of the two names with Set in them
# a set of events is meant, which is a queue of ours.
READS = re.compile(
    r"nvmlInit(_v2|WithFlags)?|nvmlShutdown"
    r"|nvml(Device|System)Get[A-Z]\w*|nvmlDeviceIsMigDeviceHandle"
    r"|nvmlDeviceRegisterEvents|nvmlEventSet(Create|Wait|Wait_v2|Free)"
    r"|nvmlGpm(QueryDeviceSupport|SampleAlloc|SampleFree|SampleGet|MigSampleGet|MetricsGet)"
)
NAME = re.compile(r"nvml[A-Z]\w*")
OTHERS = frozenset({"nvmlPciInfo_t", "nvmlReturn"})  # a type, and a field of one
SPY = """
import os
import pynvml

found = pynvml._nvmlGetFunctionPointer

def told(name):
    with open(os.environ["LOOKED_UP"], "a") as file:
        file.write(name + "\\n")
    return found(name)

pynvml._nvmlGetFunctionPointer = told
"""


def named_functions(source: str) -> set[str]:
    """Give every name of NVML that *source* has as a string or an attribute; comments and docstrings say nothing."""
    tree = ast.parse(source)
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {name for name in names if NAME.fullmatch(name)} - OTHERS


def sources(mark: str) -> dict[str, str]:
    """Give the text of every source file of the product in which *mark* stands, by its path."""
    paths = (path for folder in ("agent", "exporter", "rules") for path in (REPOSITORY / folder).rglob("*.py"))
    texts = {str(path.relative_to(REPOSITORY)): path.read_text("utf-8") for path in paths}
    return {path: text for path, text in texts.items() if re.search(mark, text)}


def test_only_functions_that_read_are_named() -> None:
    named = {(path, name) for path, source in sources("nvml[A-Z]").items() for name in named_functions(source)}
    assert len(named) > 50, "the names are found at all"
    assert {(path, name) for path, name in named if not READS.fullmatch(name)} == set()


def test_names_are_not_put_together_but_for_their_versions() -> None:
    """Otherwise the list above is not all of them."""
    made = [
        ast.unparse(node)
        for source in sources(r"\.function\(").values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("nvml.function", "self.function"))
        and not all(isinstance(argument, ast.Constant) for argument in node.args)
    ]
    composed = {text for text in made if "f'" in text or "+" in text}
    assert composed <= {"nvml.function(f'{name}_v3', f'{name}_v2')"}
    assert made, "the calls are found at all"


def test_no_program_that_could_write_to_a_gpu_is_started() -> None:
    """The only child processes are this program's own: the sampler, and the look of `doctor`."""
    starting = sources(r"posix_spawn\(|Popen\(|subprocess\.(?:run|call|check)|os\.(?:system|exec[lv]\w*)\(")
    assert set(starting) == {"agent/sampler/launch.py", "agent/doctor/look.py", "agent/commands/run.py"}
    assert all("sys.executable" in source for source in starting.values())


def test_a_source_at_work_looks_up_only_functions_that_read(tmp_path: Path) -> None:
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy" / "sitecustomize.py").write_text(SPY)
    looked_up = tmp_path / "looked-up"
    with NvmlDouble(tmp_path / "double", ["h100", "h100", "volta"]) as double:
        double.gpu(0).process(100)
        double.gpu(0).utilisation(gpu=90, memory=40)
        double.gpu(1).mig(["3g.40gb", "1g.10gb"])
        double.gpu(1).process(50, mig=0)
        with SourceChild(double, python_path=[tmp_path / "spy"], env={"LOOKED_UP": str(looked_up)}) as child:
            child.open()
            child.tick(times=70)  # beyond the slowest pace of a minute
    names = set(looked_up.read_text().split())
    assert {"nvmlInitWithFlags", "nvmlDeviceGetFieldValues", "nvmlGpmMigSampleGet"} <= names
    assert {name for name in names if not READS.fullmatch(name)} == set()


def test_what_writes_would_be_noticed() -> None:
    written = (
        "handle = nvml.function('nvmlDeviceSetPersistenceMode')\npynvml.nvmlDeviceResetGpuLockedClocks(handle)\n"
    )
    assert named_functions(written) == {"nvmlDeviceSetPersistenceMode", "nvmlDeviceResetGpuLockedClocks"}
    for name in (*named_functions(written), "nvmlGpmSetStreamingEnabled", "nvmlDeviceClearEccErrorCounts"):
        assert not READS.fullmatch(name)
