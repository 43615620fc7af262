"""A resolver in memory."""

from collections.abc import Mapping, Sequence

from appliance.net.resolver import Answer, LookupUnavailable, NameNotFound, NoRecords


class MemoryResolver:
    """Knows `zones` (name → type → records); a name mapped to None cannot be looked up now."""

    def __init__(
        self, zones: Mapping[str, Mapping[str, Sequence[str]] | None], *, is_authentic: bool = False
    ) -> None:
        self.zones = zones
        self.is_authentic = is_authentic

    def lookup(self, name: str, record_type: str) -> Answer:
        return Answer(self.resolve(name, record_type), self.is_authentic)

    def resolve(self, name: str, record_type: str) -> tuple[str, ...]:
        if name not in self.zones:
            raise NameNotFound(name)
        records = self.zones[name]
        if records is None:
            raise LookupUnavailable(name)
        if record_type not in records:
            raise NoRecords(name)
        return tuple(records[record_type])
