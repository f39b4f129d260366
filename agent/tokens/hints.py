"""What looks like an inference server by its name alone; good for advice, and for nothing that is counted."""

from collections.abc import Iterable

# Words of command names, titles and command lines, each with its key in the catalogue of servers; the names are those
# of the servers' own programs and process titles.
_WORDS = (
    ("vllm", "vllm"),
    ("sglang", "sglang"),
    ("trtllm", "trtllm"),
    ("tensorrt_llm", "trtllm"),
    ("lmdeploy", "lmdeploy"),
    ("text-generation", "tgi"),
    ("text_generation", "tgi"),
    ("llama-server", "llamacpp"),
    ("xllamacpp", "llamacpp"),
    ("nim_llm", "nim"),
)


def server_of(words: Iterable[str]) -> str:
    """Give the key of the server that *words* speak of; empty where they speak of none.

    Of a path only the last part counts: a folder is called after anything.
    """
    for word in words:
        name = word.rpartition("/")[2].lower()
        for hint, key in _WORDS:
            if name.startswith(hint):
                return key
    return ""
