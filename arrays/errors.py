"""How stepgauge says no: one sentence for bad input, and two errors for what an arithmetic cannot answer."""


class Undecided(ArithmeticError):
    """A comparison of two balls that overlap: neither answer would be proved."""


class NotRational(ArithmeticError):
    """A root, exponential or eigenvalue that leaves the rational numbers."""


def expect(holds: object, name: str, what: str, why: str, got: object, error: type[Exception] = ValueError) -> None:
    """Raise `error("name: expected what because why, got …")` unless `holds`.

    Takes    got: what to say, or a function that makes it: to print an array on a device costs a copy, for a failure only.
    """
    if not holds:
        raise error(f"{name}: expected {what} because {why}, got {got() if callable(got) else got}")
