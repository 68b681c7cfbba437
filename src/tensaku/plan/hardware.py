"""The dated table of accelerators, what a server around them must have, and what somebody published that they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tensaku.errors import NotFound, UsageError
from tensaku.plan.said import Said
from tensaku.plan.tables import table

__all__ = ["Accelerator", "Node", "Price", "checked", "cpus", "gpu", "gpus", "node", "price"]

Kind = Literal["bf16", "fp8", "int8", "fp32"]


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator. `memory` in bytes, `bandwidth` in bytes a second; `tflops` dense, by number format.

    None, or a format that is missing: nobody's figure was found.
    """

    name: str
    label: str
    memory: float
    bandwidth: float | None
    tflops: dict[str, float]
    watts: float | None
    link: float | None
    pcie: str | None
    socket: str
    source: str
    sparse: dict[str, float] = field(default_factory=dict)
    """As published with structured sparsity; `tflops` has half of it."""

    def operations(self, kind: str) -> float:
        """Dense operations a second.

        Raises:
            UsageError: nobody's figure was found.
        """
        if kind not in self.tflops:
            what = Said(
                f"how fast {self.label} multiplies in {kind} is unknown here",
                f"{self.label} の {kind} での演算性能の公表値が見つかっていません",
            )
            raise UsageError(what, fix=f"Give it with -s tflops=... (dense; known: {', '.join(self.tflops) or 'none'})")
        return self.tflops[kind] * 1e12

    def bytes_a_second(self) -> float:
        """Bandwidth of its memory.

        Raises:
            UsageError: nobody's figure was found.
        """
        if self.bandwidth is None:
            what = Said(
                f"the memory bandwidth of {self.label} is unknown here",
                f"{self.label} のメモリ帯域の公表値が見つかっていません",
            )
            raise UsageError(what, fix="Give it with -s bandwidth_gbs=...")
        return self.bandwidth


class Price(NamedTuple):
    """Yen without tax: to buy one, to rent one for a day; None: not known. `low` is the other end of an estimate."""

    buy: float | None
    rent_day: float | None
    low: float | None
    note: str
    source: str


class Node(NamedTuple):
    """What a server with `gpus` accelerators must have."""

    gpus: int
    cores: int
    sockets: int
    ram_least: float
    ram_better: float
    pcie_lanes: int
    network: str
    watts: float | None
    source: str


def checked() -> str:
    """The day on which the table's sources were read."""
    return str(table("hardware")["checked"])


def gpus() -> dict[str, Accelerator]:
    """Every accelerator of the table, by name."""
    return {name: _read(name, row) for name, row in table("hardware")["gpus"].items()}


def _read(name: str, row: dict[str, Any]) -> Accelerator:
    sparse = {kind: float(value) for kind, value in row.get("sparse", {}).items()}
    dense = {kind: value / 2 for kind, value in sparse.items()} | {
        k: float(v) for k, v in row.get("tflops", {}).items()
    }
    bandwidth = row.get("bandwidth_gbs")
    return Accelerator(
        name=name,
        label=row["label"],
        memory=row["memory_gb"] * 1e9,
        bandwidth=None if bandwidth is None else bandwidth * 1e9,
        tflops=dense,
        watts=row.get("watts"),
        link=row["link_gbs"] * 1e9 if "link_gbs" in row else None,
        pcie=row.get("pcie"),
        socket=row["socket"],
        source=row["source"],
        sparse=sparse,
    )


def gpu(name: str) -> Accelerator:
    """One accelerator of the table.

    Raises:
        NotFound: the table has none of that name.
    """
    found = gpus()
    if name.lower() not in found:
        raise NotFound("accelerator", name, found)
    return found[name.lower()]


def cpus() -> dict[str, dict[str, Any]]:
    """The processors of the table: label, cores, bandwidth_gbs, watts, source."""
    return dict(table("hardware")["cpus"])


def price(what: str) -> Price | None:
    """What somebody published that it costs; None where nobody's figure was found."""
    for row in table("hardware")["prices"]:
        if row["what"] == what:
            get = row.get
            return Price(get("buy"), get("rent_day"), get("low"), row.get("note", ""), row["source"])
    return None


_CERTIFIED = (
    "NVIDIA-Certified Systems Configuration Guide, https://docs.nvidia.com/certification-programs/"
    "nvidia-certified-configuration-guide/; adapters: https://docs.nvidia.com/ai-enterprise/reference-architecture/"
    "latest/compute-node-hardware.html"
)
_CORES, _RAM_LEAST, _RAM_BETTER = 6, 1.5, 2.0
_LANES = 16


def node(accelerator: Accelerator, count: int) -> Node:
    """The server around `count` accelerators, as certified configurations state it.

    Physical cores: 6 an accelerator. RAM: 1.5 to 2 times the accelerators' memory. PCIe: 16 lanes an accelerator. From
    2 accelerators on, two sockets, with the accelerators shared out between them. Network: one adapter for two
    accelerators and one for the rest of the house, as in the reference configurations 2-4-3 and 2-8-5 (sockets,
    accelerators, adapters); which speed depends on the load and is not stated.
    """
    if count < 1:
        raise UsageError(f"a server with {count} accelerators is none", fix="Ask for 1 or more")
    adapters = count // 2 + 1
    network = f"{adapters} adapter{'s' if adapters > 1 else ''} on 16 PCIe lanes"
    if count >= 8 and accelerator.socket == "sxm":
        network += "; as an example, a published 8-GPU H200 server has 10 x 400 Gb/s (MLPerf Inference 4.1)"
    memory = accelerator.memory * count
    watts = None if accelerator.watts is None else accelerator.watts * count
    return Node(
        gpus=count,
        cores=_CORES * count,
        sockets=1 if count == 1 else 2,
        ram_least=_RAM_LEAST * memory,
        ram_better=_RAM_BETTER * memory,
        pcie_lanes=_LANES * (count + adapters),
        network=network,
        watts=watts,
        source=_CERTIFIED,
    )
