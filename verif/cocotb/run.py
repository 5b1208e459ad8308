"""Compiles the core of a build with Icarus Verilog and runs load.py on it: run.py BUILD_DIR TOP CASE.json"""

import os
import sys
from pathlib import Path

from cocotb_tools.runner import get_results, get_runner


def main():
    build, top, case = Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3]).resolve()
    folder = case.parent / "cocotb"
    runner = get_runner("icarus")
    runner.build(
        sources=sorted((build / "rtl").glob("*.v")),
        hdl_toplevel=top,
        build_dir=folder,
        build_args=[f'-DTW_MEM="{build / "rtl" / "mem"}/"'],
        timescale=("1ns", "1ns"),
        always=True,
    )
    here = Path(__file__).resolve().parent
    results = runner.test(
        hdl_toplevel=top,
        test_module="load",
        build_dir=folder,
        test_dir=here,
        results_xml=str(folder / "results.xml"),
        extra_env={"TW_LOAD_CASE": str(case), "PYTHONPATH": os.pathsep.join([str(here), *sys.path])},
        timescale=("1ns", "1ns"),
    )
    tests, failed = get_results(results)
    print(f"{tests} tests, {failed} failed")
    sys.exit(1 if failed or not tests else 0)


if __name__ == "__main__":
    main()
