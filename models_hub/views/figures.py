"""Numbers as people read them."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def scientific(value: float) -> str:
    """0.00000041 → “4.1 × 10⁻⁷”; zero stays “0”."""
    if value == 0:
        return "0"
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits.removesuffix('.0')} × 10{str(int(power)).translate(_RAISED)}"


def seconds(value: float) -> str:
    """How long a stage took: “0.8 s”, “3 ms”."""
    return f"{value:.1f} s" if value >= 0.095 else f"{max(round(value * 1000), 1)} ms"
