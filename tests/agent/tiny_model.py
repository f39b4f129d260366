"""A random llama of half a megabyte in a GGUF file, which llama.cpp serves as any other."""

from pathlib import Path

import gguf
import numpy as np

_WIDTH, _HEADS, _BLOCKS, _FORWARD, _CONTEXT = 64, 4, 2, 128, 4096
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def write_tiny_model(path: Path) -> None:
    """Write the model to *path*: the same bytes of weights each time."""
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer)
    _weigh(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tokens() -> tuple[list[bytes], list[gguf.TokenType]]:
    """Give control tokens, one token a byte, the word separator, and printable ASCII, with their types."""
    control = [b"<unk>", b"<s>", b"</s>"]
    every_byte = [f"<0x{number:02X}>".encode() for number in range(256)]
    plain = ["\u2581".encode(), *(bytes([code]) for code in range(33, 127))]
    types = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    types += [gguf.TokenType.BYTE] * len(every_byte) + [gguf.TokenType.NORMAL] * len(plain)
    return [*control, *every_byte, *plain], types


def _describe(writer: gguf.GGUFWriter) -> None:
    tokens, types = _tokens()
    writer.add_name("tiny-random")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_BLOCKS)
    writer.add_feed_forward_length(_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(_TEMPLATE)


def _weigh(writer: gguf.GGUFWriter) -> None:
    random = np.random.default_rng(0)
    vocabulary = len(_tokens()[0])

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(f"{name}.weight", (random.standard_normal(shape) * 0.1).astype(np.float32))

    def add_ones(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(_WIDTH, np.float32))

    add("token_embd", vocabulary, _WIDTH)
    add_ones("output_norm")
    add("output", vocabulary, _WIDTH)
    for block in range(_BLOCKS):
        prefix = f"blk.{block}"
        add_ones(f"{prefix}.attn_norm")
        add_ones(f"{prefix}.ffn_norm")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{prefix}.{part}", _WIDTH, _WIDTH)
        add(f"{prefix}.ffn_gate", _FORWARD, _WIDTH)
        add(f"{prefix}.ffn_up", _FORWARD, _WIDTH)
        add(f"{prefix}.ffn_down", _WIDTH, _FORWARD)
