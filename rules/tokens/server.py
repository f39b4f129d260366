"""Inference servers as the catalogue describes them: recognised, inspected and read. Public face of three modules.

`recognise` finds the entry of a page, `inspect` tells what is known of the server behind it, and `read_page` gives
what the page counts. Whoever takes deltas of that must know:

- A count stands under the full identity of its series. Take deltas of each series, then sum them by model and kind.
- No token is counted twice under one kind. Not every kind is there; of prompt = cached + computed two give the third:

  | on the page | derived | because the server counts |
  |---|---|---|
  | PROMPT, PROMPT_CACHED | computed = prompt - cached | all prompts, and cache hits beside them |
  | PROMPT_COMPUTED, PROMPT_CACHED | prompt = computed + cached | by where the tokens came from |
  | PROMPT alone | nothing | prompts only |
  | PROMPT_COMPUTED alone | nothing | what it computed; the rest is not told, or a prefill server counts it |

  The difference is one of deltas, never of values: the two move at different moments.
- Prompt tokens whose keys and values came from outside the engine (vLLM's `external_kv_transfer`: a cache in host
  memory or on another host) were not computed here: they are PROMPT_CACHED. With a decode server they came from its
  prefill server, which counts them, and are left out.
- A prefill server counts no OUTPUT. Its requests end after one token, which the decode server gives as its first.
- A decode server counts of prompts what it computed itself, and no more: both servers see the same prompts.
- A series that is not there is not 0. Where a server makes a series only when that first counts (SGLang), 0 stands
  for it under the name "", which no series has, as soon as anything else is counted for the model. A page without
  any counts may then be that of a server that has served nobody yet (TensorRT-LLM, TGI and LiteLLM too).
"""

from .page import read_page
from .recognise import ServerFacts, inspect, name_filter, recognise
from .spec import Labels, Samples, ServerSpec

__all__ = ["Labels", "Samples", "ServerFacts", "ServerSpec", "inspect", "name_filter", "read_page", "recognise"]
