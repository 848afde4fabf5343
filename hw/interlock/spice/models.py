"""Models of the parts: each figure comes from parts.toml, which cites its source.

The logic is behavioural and errs to the unsafe side: an input leaks all of its Ioff to
the supply, a clamp diode feeds the supply of the memory, and the buffer goes on driving
down to the lowest supply at which it might.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.errors import BoardError
from interlock.meaning import GROUND
from interlock.netlist import Placed, pairs


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one board of a series happens to be: factors by reference, and shifts."""

    scale: Mapping[str, float]  # of a value: 1 is nominal
    shift: Mapping[str, float]  # of a threshold, in volts

    def of(self, ref: str) -> float:
        """The factor on a part's value."""
        return self.scale.get(ref, 1.0)

    def moved(self, ref: str) -> float:
        """V to add to a part's threshold."""
        return self.shift.get(ref, 0.0)


NOMINAL = Drawn({}, {})


def node(net: str) -> str:
    """The name of a net in a deck."""
    return "0" if net == GROUND else f"n_{net.lower()}"


def lines(placed: Placed, drawn: Drawn) -> list[str]:
    """The lines of a deck for one part; none for what has no electrical life."""
    maker = MAKERS.get(placed.part.kind)
    if maker is None:
        raise BoardError(f"{placed.ref}: no model for a {placed.part.kind}")
    return maker(placed, drawn)


def _nothing(placed: Placed, drawn: Drawn) -> list[str]:
    return []


def _resistors(placed: Placed, drawn: Drawn) -> list[str]:
    ohm = (placed.part.value or 0.0) * drawn.of(placed.ref)
    return [
        f"R{placed.ref}{a} {node(placed.net(a))} {node(placed.net(b))} {ohm:.6g}"
        for a, b in pairs(placed.part)
        if placed.net(a) != "-"
    ]


def _capacitor(placed: Placed, drawn: Drawn) -> list[str]:
    farad = (placed.part.value or 0.0) * drawn.of(placed.ref)
    return [
        f"C{placed.ref} {node(placed.net('1'))} {node(placed.net('2'))} {farad:.6g}"
    ]


def _ldo(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref = placed.part.figures, placed.ref
    out, into = node(placed.net("VOUT")), node(placed.net("VIN"))
    volts = f["volts"] * drawn.of(ref)
    wanted = f"min({volts:.5g}, V({into})-{f['dropout_v']})"
    # Power flows out of a regulator, not back into it.
    current = f"max(0, min({f['amps']}, ({wanted}-V({out}))/{f['ohm']}))"
    return [f"B{ref} {into} {out} I = {current}", f"I{ref} {into} 0 {f['own_a']}"]


def _comparators(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref, supply = placed.part.figures, placed.ref, node(placed.net("VCC"))
    found = [f"I{ref} {supply} 0 {f['own_a']}"]
    for unit in "1234":
        plus, minus = node(placed.net(f"{unit}+")), node(placed.net(f"{unit}-"))
        out, late = node(placed.net(f"{unit}OUT")), f"{ref}_{unit}"
        shift = drawn.moved(f"{ref}.{unit}")
        found += [
            f"B{late} {late} 0 V = 0.5+0.5*tanh(2k*"
            f"({_v(minus)}-{_v(plus)}+{shift:.5g}))",
            f"R{late} {late} {late}d 1k",
            f"C{late} {late}d 0 {f['delay_s'] / 1e3:.4g}",
            # It sinks as long as it has 1.5 V; below that it lets go: the unsafe side.
            f"B{late}o {out} 0 I = V({out})/{f['sink_ohm']}"
            f"*(V({late}d)>0.5 ? 1 : 1e-9)*(V({supply})>1.5 ? 1 : 1e-9)",
        ]
    return found


def _v(name: str) -> str:
    return "0" if name == "0" else f"V({name})"


def _one_shot(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref, supply = placed.part.figures, placed.ref, node(placed.net("VCC"))
    edge, clear = node(placed.net("B")), node(placed.net("CLR"))
    time, out = node(placed.net("REXT")), node(placed.net("Q"))
    share = 1 - 2.718281828 ** -(f["k"] * drawn.of(ref))  # of the supply, after K*R*C
    return [
        f"R{ref}e {edge} {ref}_e 1k",
        f"C{ref}e {ref}_e 0 20n",
        f"B{ref}g {ref}_g 0 V = (V({edge})>1.65 && V({ref}_e)<1.65) ? 1 : 0",
        f"S{ref}d {time} 0 {ref}_g 0 CLOSE",
        f"B{ref}c {ref}_c 0 V = V({clear})<0.5*V({supply}) ? 1 : 0",
        f"S{ref}c {time} {supply} {ref}_c 0 CLOSE",
        f"B{ref}q {ref}_q 0 V = V({supply})*(0.5+0.5*tanh(({share:.5g}*V({supply})"
        f"-V({time}))*500))*(V({clear})>0.5*V({supply}) ? 1 : 0)",
        f"R{ref}q {ref}_q {out} {f['ohm']}",
        f"C{ref}q {out} 0 5p",
        f"I{ref} {supply} 0 {f['own_a']}",
    ]


def _supervisor(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref, supply = placed.part.figures, placed.ref, node(placed.net("VCC"))
    out, volts = node(placed.net("RESET")), f["volts"] * drawn.of(ref)
    # The hold of 0.2 s is cut to 5 ms: the rail comes back sooner, the unsafe side.
    return [
        f"B{ref}l {ref}_l 0 V = V({supply})<{volts:.5g} ? 1 : 0",
        f"B{ref}u {ref}_u 0 V = V({supply})>{volts:.5g} ? 1 : 0",
        f"R{ref}i {ref}_u {ref}_t 1k",
        f"C{ref}i {ref}_t 0 5u",
        f"S{ref}i {ref}_t 0 {ref}_l 0 CLOSE",
        f"B{ref}o {ref}_o 0 V = V({ref}_t)>0.632 ? V({supply}) : 0",
        f"R{ref}o {ref}_o {out} {f['ohm']}",
        f"C{ref}o {out} 0 {f['delay_s'] / f['ohm']:.4g}",
        f"I{ref} {supply} 0 {f['own_a']}",
    ]


def _pfet(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref = placed.part.figures, placed.ref
    gate, source, drain = (node(placed.net(each)) for each in "GSD")
    threshold = -f["threshold_v"] - drawn.moved(ref)
    return [
        f"M{ref} {drain} {gate} {source} {source} P{ref}",
        f".model P{ref} PMOS(LEVEL=1 VTO={threshold:.4g} KP={f['kp']} LAMBDA=0.01)",
        f"C{ref}g {gate} {source} {f['gate_farad']}",
        f"D{ref} {drain} {source} BODY",
        f"R{ref} {source} {drain} 3.3meg",  # it leaks 1 uA when off, its limit
    ]


def _nfets(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref = placed.part.figures, placed.ref
    found = []
    for unit in "12":
        gate, source, drain = (node(placed.net(each + unit)) for each in "GSD")
        threshold = f["threshold_v"] + drawn.moved(f"{ref}.{unit}")
        found += [
            f"M{ref}{unit} {drain} {gate} {source} 0 N{ref}{unit}",
            f".model N{ref}{unit} NMOS(LEVEL=1 VTO={threshold:.4g} KP={f['kp']})",
            f"C{ref}{unit} {gate} {source} {f['gate_farad']}",
        ]
    return found


def _buffers(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref, supply = placed.part.figures, placed.ref, node(placed.net("VCC"))
    found = []
    for unit in "1234":
        into, out = node(placed.net(f"{unit}A")), node(placed.net(f"{unit}Y"))
        enable = _v(node(placed.net(f"{unit}OE")))
        found += [
            f"B{ref}{unit} {supply} {out} I = (V({into})>0.5*V({supply}) ? 1 : 0)"
            f"*(V({supply})>{f['alive_v']} ? 1 : 0)*({enable}<1.2 ? 1 : 0)"
            f"*(V({supply})-V({out}))/{f['ohm']}",
            f"B{ref}{unit}l {out} 0 I = (V({into})<=0.5*V({supply}) ? 1 : 0)"
            f"*(V({supply})>{f['alive_v']} ? 1 : 0)*({enable}<1.2 ? 1 : 0)"
            f"*V({out})/{f['ohm']}",
            f"C{ref}{unit} {out} 0 15p",
            f"R{ref}{unit} {out} 0 10meg",
            # At most Ioff, wherever a line is above the dead supply.
            f"B{ref}{unit}f {into} {supply} I = {f['ioff_a']}"
            f"*max(0, tanh((V({into})-V({supply}))*5))",
        ]
        if out not in {node(placed.net(f"{each}A")) for each in "1234"}:
            found.append(
                f"B{ref}{unit}g {out} {supply} I = {f['ioff_a']}"
                f"*max(0, tanh((V({out})-V({supply}))*5))"
            )
    return found


def _sram(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref, supply = placed.part.figures, placed.ref, node(placed.net("VCC"))
    found = [
        f"B{ref} {supply} 0 I = {f['rest_a']}*tanh(max(0, V({supply}))*3)",
        f"B{ref}b {supply} 0 I = {f['busy_a']}*(V({supply})>1.5 ? 1 : 0)"
        f"*(V({node(placed.net('CS'))})<0.5*V({supply}) ? 1 : 0)",
    ]
    for pin in ("CS", "SI", "SCK"):
        found.append(f"D{ref}{pin} {node(placed.net(pin))} {supply} CLAMP")
    out = node(placed.net("SO"))
    return [*found, f"R{ref} {out} 0 1meg", f"D{ref}SO {out} {supply} CLAMP"]


def _led(placed: Placed, drawn: Drawn) -> list[str]:
    f, ref = placed.part.figures, placed.ref
    volts = f["forward_v"] + drawn.moved(ref)
    return [f"V{ref} {ref}_d {node(placed.net('K'))} {volts - 0.6:.4g}",
            f"D{ref} {node(placed.net('A'))} {ref}_d BODY"]  # fmt: skip


MAKERS = {
    "header": _nothing, "connector": _nothing, "pad": _nothing, "eeprom": _nothing,
    "resistor": _resistors, "resistor-4": _resistors, "capacitor": _capacitor,
    "ldo": _ldo, "comparator": _comparators, "one-shot": _one_shot,
    "supervisor": _supervisor, "pfet": _pfet, "nfet-2": _nfets, "buffer": _buffers,
    "sram": _sram, "led": _led,
}  # fmt: skip

SHARED = (
    ".model CLOSE SW(VT=0.5 VH=0.1 RON=5 ROFF=100meg)",
    ".model BODY D(IS=1e-9 N=1.5 RS=0.2)",
    ".model CLAMP D(IS=1e-9 N=1 RS=5)",
)
