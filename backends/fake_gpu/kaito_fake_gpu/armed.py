"""The faults that are armed, and which of them strike a given request."""

from __future__ import annotations

from collections.abc import Collection

from kaito.providers import Fault, FaultKind


class ArmedFaults:
    """Counts down `skip` and `times` of each fault, in the order in which they were armed."""

    def __init__(self) -> None:
        self._armed: list[tuple[Fault, int, int | None]] = []

    def arm(self, fault: Fault) -> None:
        """Let `fault` strike from now on."""
        self._armed.append((fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Forget all."""
        self._armed.clear()

    def strike(self, kinds: Collection[FaultKind], name: str, instance_type: str) -> list[Fault]:
        """The faults of `kinds` that strike this request now; each is used up by one."""
        struck = []
        for index, (fault, skip, times) in enumerate(self._armed):
            if fault.kind not in kinds or not fault.matches(name, instance_type) or times == 0:
                continue
            if skip:
                self._armed[index] = (fault, skip - 1, times)
                continue
            self._armed[index] = (fault, 0, None if times is None else times - 1)
            struck.append(fault)
        self._armed = [one for one in self._armed if one[2] != 0]
        return struck
