"""Chance without memory: numbers that look random and depend on their arguments alone, not on earlier draws."""

_WORD = (1 << 64) - 1


def chance(*parts: int) -> int:
    """Give 64 bits that *parts* decide. Mixer: SplitMix64 (Steele, Lea, Flood 2014), chained over the parts."""
    state = 0
    for part in parts:
        state = (state + (part & _WORD) + 0x9E3779B97F4A7C15) & _WORD
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD
        state ^= state >> 31
    return state


def text_number(text: str) -> int:
    """Give the number of *text* for `chance`, the same in every process. FNV-1a, 64 bits."""
    number = 0xCBF29CE484222325
    for byte in text.encode():
        number = ((number ^ byte) * 0x100000001B3) & _WORD
    return number


def bell_milli(number: int) -> int:
    """Give thousandths of a standard deviation, within 3.5 of them, from the 64 bits of *number*.

    The sum of four uniform 16-bit parts: mean 2 * 65535, standard deviation 65536 / sqrt(3).
    """
    total = sum((number >> shift) & 0xFFFF for shift in (0, 16, 32, 48))
    return (total - 131_070) * 1000 // 37_837
