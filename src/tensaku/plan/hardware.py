"""The dated table of GPUs and processors, what a server around GPUs must have, and what somebody said they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tensaku.errors import NotFound, UsageError
from tensaku.plan.said import Said
from tensaku.plan.tables import table

__all__ = ["PROCESSOR", "Accelerator", "Node", "Price", "accelerator", "accelerators", "checked", "cpus", "gpus",
           "node", "price"]  # fmt: skip

PROCESSOR = "processor"
"""What stands as `socket` of a processor in a machine without GPUs."""

Kind = Literal["bf16", "fp8", "int8", "fp32"]


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One GPU, or one processor with its RAM. `memory` in bytes, `bandwidth` in bytes a second; `tflops` dense, by
    number format.

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
    reported: float | None = None
    """Bytes that nvidia-smi reports of such a card, where that is known: more than the maker's, which are planned."""
    how: str = ""
    """A processor's products and bandwidth, as they were reckoned."""

    @property
    def processor(self) -> bool:
        """Whether it is a processor: one machine, whose RAM is the memory, and nothing to split over."""
        return self.socket == PROCESSOR

    @property
    def widened(self) -> bool:
        """Whether bf16 is reckoned at fp32's rate, which a processor reaches by widening the numbers first."""
        return self.processor and "bf16" not in self.tflops and "fp32" in self.tflops

    def operations(self, kind: str) -> float:
        """Dense operations a second.

        Raises:
            UsageError: nobody's figure was found.
        """
        if kind == "bf16" and self.widened:
            kind = "fp32"
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
        reported=row["reported_mib"] * 2.0**20 if "reported_mib" in row else None,
    )


def cpus() -> dict[str, Accelerator]:
    """Every processor of the table, by name."""
    return {name: _read_processor(name, row) for name, row in table("hardware")["cpus"].items()}


def _read_processor(name: str, row: dict[str, Any]) -> Accelerator:
    cores, ghz, cycle, channels, mts = (row[name] for name in ("cores", "base_ghz", "cycle", "channels", "mts"))
    each = ", ".join(f"{kind} {operations}" for kind, operations in cycle.items())
    return Accelerator(
        name=name,
        label=row["label"],
        memory=row["ram_gb"] * 1e9,
        bandwidth=channels * mts * 1e6 * 8,
        tflops={kind: cores * ghz * operations / 1000 for kind, operations in cycle.items()},
        watts=row["watts"],
        link=None,
        pcie=None,
        socket=PROCESSOR,
        source=row["source"],
        how=Said(
            f"{cores} cores x {ghz:g} GHz (base) x operations a cycle ({each}); {channels} channels x {mts} MT/s x "
            f"8 bytes; RAM of {row['ram_gb']} GB is assumed",
            f"{cores} コア × {ghz:g} GHz（ベース）× 1 サイクルの演算数（{each}）。{channels} チャネル × {mts} MT/s × "
            f"8 バイト。RAM {row['ram_gb']} GB は仮定",
        ),
    )


def accelerators() -> dict[str, Accelerator]:
    """GPUs, then processors."""
    return gpus() | cpus()


def accelerator(name: str) -> Accelerator:
    """One GPU or processor of the table.

    Raises:
        NotFound: the table has none of that name.
    """
    found = accelerators()
    if name.lower() not in found:
        raise NotFound("accelerator", name, found)
    return found[name.lower()]


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
