"""What flows between steps inside the graph: columns of numbers and of texts, in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models_hub.conversion.pen import Pen


@dataclass(frozen=True, slots=True)
class Part:
    """A value [n, width] of the graph: doubles, or texts with "" for a missing one."""

    value: str
    width: int
    text: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Parts side by side. `sparse`: scikit-learn would hand it on as a sparse matrix, whose zeros
    some libraries read as missing."""

    parts: tuple[Part, ...]
    sparse: bool = False

    @classmethod
    def of(cls, value: str, width: int, *, text: bool = False, sparse: bool = False) -> "Table":
        """A table of one part."""
        return cls((Part(value, width, text),), sparse)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return sum(part.width for part in self.parts)

    @property
    def text(self) -> bool:
        """Are there texts among the columns?"""
        return any(part.text for part in self.parts)

    def matrix(self, pen: Pen) -> str:
        """All columns as one value [n, width]; they must be of one kind."""
        if len({part.text for part in self.parts}) > 1:
            raise NotImplementedError("a step that reads texts and numbers as one matrix")
        if not self.parts:
            raise NotImplementedError("a step without any column")
        return pen.joined([part.value for part in self.parts])

    def columns(self, pen: Pen) -> list[Part]:
        """Each column as a part of its own."""
        found: list[Part] = []
        for part in self.parts:
            if part.width == 1:
                found.append(part)
            else:
                singles = [pen.gather(part.value, [place]) for place in range(part.width)]
                found += [Part(value, 1, part.text) for value in singles]
        return found

    def take(self, pen: Pen, places: Sequence[int]) -> "Table":
        """The columns at these places, in this order."""
        if list(places) == list(range(self.width)):
            return self
        if len(self.parts) == 1:
            part = self.parts[0]
            return Table.of(
                pen.gather(part.value, places), len(places), text=part.text, sparse=self.sparse
            )
        starts = [sum(part.width for part in self.parts[:i]) for i in range(len(self.parts))]
        chosen = [self._one(pen, starts, int(place)) for place in places]
        return Table(tuple(chosen), self.sparse)

    def _one(self, pen: Pen, starts: list[int], place: int) -> Part:
        index = max(i for i, start in enumerate(starts) if start <= place)
        part = self.parts[index]
        if part.width == 1:
            return part
        return Part(pen.gather(part.value, [place - starts[index]]), 1, part.text)


def beside(tables: Iterable[Table], *, sparse: bool | None = None) -> Table:
    """Tables side by side; sparse if one is, or as said."""
    every = list(tables)
    some = any(table.sparse for table in every) if sparse is None else sparse
    return Table(tuple(part for table in every for part in table.parts), some)
