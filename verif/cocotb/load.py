"""Drives the load stream, the registers and the streams of a core whose tables are loaded, with the AXI models of
cocotbext-axi, which others wrote.

Environment: TW_LOAD_CASE names a JSON file with two images (words), windows, and the bitmaps that each table set gives them.
"""

import itertools
import json
import os
import random
import zlib

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamSink, AxiStreamSource

ID, STATUS, CONTROL, ACTIVE_VERSION, ACCEPTED, REFUSED, SWAPPED, CORRECTED, UNCORRECTED = (
    0x00, 0x0C, 0x10, 0x14, 0x20, 0x24, 0x28, 0x2C, 0x30)
VALID, LOADING, LOADED, BUSY = 1, 2, 4, 8
SWAP, CLEAR = 1, 2
ERRORS = {"magic": 1, "format": 2, "shape": 3, "length": 4, "crc": 5, "early": 6, "late": 7}

with open(os.environ["TW_LOAD_CASE"], encoding="utf-8") as file:
    CASE = json.load(file)
SEED = int(os.environ.get("TW_LOAD_SEED", "1"))


def pauses(seed, share):
    rng = random.Random(seed)
    return (rng.random() < share for _ in itertools.count())


class Bench:
    """The core and everything that talks to it."""

    def __init__(self, dut):
        self.dut = dut
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        near = {"clock": dut.clk, "reset": dut.rst_n, "reset_active_level": False}
        self.load = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_load_axis"), **near)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), **near)
        self.windows = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), **near)
        self.bitmaps = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), **near)
        self.load.set_pause_generator(pauses(SEED, 0.3))
        self.windows.set_pause_generator(pauses(SEED + 1, 0.2))
        self.bitmaps.set_pause_generator(pauses(SEED + 2, 0.2))
        self.in_bytes = len(dut.s_axis_tdata) // 8

    async def reset(self):
        self.dut.rst_n.value = 0
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst_n.value = 1
        await ClockCycles(self.dut.clk, 2)

    async def read(self, address):
        return int.from_bytes((await self.registers.read(address, 4)).data, "little")

    async def write(self, address, value):
        return (await self.registers.write(address, value.to_bytes(4, "little"))).resp

    async def send_image(self, words):
        await self.load.send(b"".join(word.to_bytes(4, "little") for word in words))
        await self.load.wait()
        await ClockCycles(self.dut.clk, 3)

    async def swap(self):
        assert await self.write(CONTROL, SWAP) == AxiResp.OKAY
        for _ in range(1000):
            if not await self.read(STATUS) & (BUSY | LOADED):
                return
        raise AssertionError("the change never came")

    async def offer(self, windows):
        for window in windows:
            await self.windows.send(int(window, 16).to_bytes(self.in_bytes, "little"))

    async def take(self):
        return int.from_bytes((await self.bitmaps.recv()).tdata, "little")

    async def expect(self, windows, bitmaps):
        await self.offer(windows)
        for number, wanted in enumerate(bitmaps):
            found = await self.take()
            assert found == int(wanted, 16), f"window {number}: {found:x}, expected {wanted}"


def with_crc(words):
    body = b"".join(word.to_bytes(4, "little") for word in words)
    return [*words, zlib.crc32(body)]


def broken_images(image):
    """Images that must be refused, and why."""
    def changed(at, by):
        return with_crc([word ^ by if i == at else word for i, word in enumerate(image[:-1])])
    yield "magic", changed(0, 1)
    yield "format", changed(1, 2)
    yield "format", changed(1, 1 << 20)
    yield "shape", changed(2, 1 << 31)
    yield "shape", changed(3, 1)
    yield "length", changed(5, 4)
    yield "crc", [word ^ 8 if i == len(image) // 2 else word for i, word in enumerate(image)]
    yield "crc", [*image[:-1], image[-1] ^ 1]
    yield "early", image[:3]
    yield "early", image[: len(image) // 2]
    yield "early", image[:-1]
    yield "late", [*image, 0]
    yield "late", [*image, *image]


async def refuse_all(bench, image, valid):
    for refused, (why, words) in enumerate(broken_images(image), 1):
        await bench.send_image(words)
        status = await bench.read(STATUS)
        assert status >> 4 & 7 == ERRORS[why], f"{why}: status {status:x}"
        assert not status & LOADED and bool(status & VALID) == valid
        assert await bench.read(REFUSED) == refused
        assert await bench.write(CONTROL, SWAP) == AxiResp.SLVERR


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def the_first_tables(dut):
    """Nothing is admitted before a table set is active; bad images change nothing."""
    bench = Bench(dut)
    await bench.reset()
    assert await bench.read(ID) == 0x54574C31
    await bench.offer(CASE["windows"][:1])
    assert (await bench.registers.read(0x80, 4)).resp == AxiResp.SLVERR
    assert await bench.write(STATUS, 1) == AxiResp.SLVERR
    await refuse_all(bench, CASE["image_a"], False)
    assert dut.s_axis_tready.value == 0 and bench.bitmaps.empty()
    await bench.send_image(CASE["image_a"])
    assert await bench.read(STATUS) & (LOADED | VALID) == LOADED
    assert dut.s_axis_tready.value == 0
    await bench.swap()
    assert await bench.read(ACTIVE_VERSION) == 1
    await bench.expect(CASE["windows"][1:], CASE["bitmaps_a"])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_change_while_it_predicts(dut):
    """A second set is loaded while the first one predicts; the change falls between two predictions."""
    bench = Bench(dut)
    await bench.reset()
    await bench.send_image(CASE["image_a"])
    await bench.swap()
    windows, first, second = CASE["windows"], CASE["bitmaps_a"], CASE["bitmaps_b"]
    taken = []
    stop = False

    async def predict():
        while not stop:
            await bench.offer(windows)
            for _ in windows:
                taken.append(await bench.take())

    running = cocotb.start_soon(predict())
    await refuse_all(bench, CASE["image_b"], True)
    await bench.send_image(CASE["image_b"])
    before = len(taken)
    await bench.swap()
    assert await bench.read(ACTIVE_VERSION) == 2
    after = len(taken)
    await ClockCycles(dut.clk, 2000)
    stop = True
    await running
    change = None
    for number, found in enumerate(taken):
        i = number % len(windows)
        if change is None and found != int(first[i], 16):
            change = number
        wanted = second if change is not None else first
        assert found == int(wanted[i], 16), f"bitmap {number}: {found:x}, expected {wanted[i]}"
    assert change is not None and change >= before, (before, change)
    assert change <= after + len(windows), (change, after)
    assert [await bench.read(r) for r in (ACCEPTED, SWAPPED)] == [2, 2]
    assert await bench.write(CONTROL, CLEAR) == AxiResp.OKAY
    assert [await bench.read(r) for r in (ACCEPTED, REFUSED, SWAPPED)] == [0, 0, 0]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_reset_in_the_middle(dut):
    """A reset in the middle of an image forgets it, and the set that was active."""
    bench = Bench(dut)
    await bench.reset()
    await bench.send_image(CASE["image_a"])
    await bench.swap()
    sending = cocotb.start_soon(bench.send_image(CASE["image_b"]))
    await ClockCycles(dut.clk, len(CASE["image_b"]) // 2)
    await bench.offer(CASE["windows"][:3])
    await ClockCycles(dut.clk, 30)
    dut.rst_n.value = 0
    await RisingEdge(dut.clk)
    sending.cancel()
    bench.load.clear()
    bench.windows.clear()
    await bench.reset()
    bench.bitmaps.clear()
    assert await bench.read(STATUS) & 0xFF == 0
    # Accepted and made active without a command.
    await bench.send_image(with_crc([CASE["image_b"][0], CASE["image_b"][1] | 1 << 16, *CASE["image_b"][2:-1]]))
    await ClockCycles(dut.clk, 5)
    assert await bench.read(STATUS) & 0xFF == VALID
    await bench.expect(CASE["windows"], CASE["bitmaps_b"])


@cocotb.test(timeout_time=2, timeout_unit="ms", skip=CASE["protection"] != 2)
async def upsets(dut):
    """One wrong bit in every memory is corrected and counted, two are counted."""
    bench = Bench(dut)
    await bench.reset()
    await bench.send_image(CASE["image_a"])
    await bench.swap()
    predictor = dut.u_predictor
    half = "u_half_1" if predictor.active.value == 1 else "u_half_0"
    rng = random.Random(SEED)
    for path, words in CASE["banks"]:
        bank = predictor
        for name in path.split("."):
            bank = getattr(bank, name)
        memory = getattr(bank, half).mem
        for word in range(words):
            value = memory[word].value
            memory[word].value = int(value) ^ 1 << rng.randrange(len(value))
    await bench.expect(CASE["windows"], CASE["bitmaps_a"])
    corrected = await bench.read(CORRECTED)
    assert corrected >= len(CASE["windows"]), corrected
    assert await bench.read(UNCORRECTED) == 0
    for path in CASE["held"]:
        held = predictor
        for name in path.split("."):
            held = getattr(held, name)
        # Every first lane; a set of registers is named lane_0 or lane_1.
        lane = getattr(held.g_lane[0], "lane_1" if half == "u_half_1" else "lane_0")
        lane.value = int(lane.value) ^ 1 << rng.randrange(len(lane.value))
    await ClockCycles(dut.clk, 5)
    before = await bench.read(CORRECTED)
    assert before == corrected + len(CASE["held"]), (before, corrected)
    await bench.expect(CASE["windows"], CASE["bitmaps_a"])
    assert await bench.read(UNCORRECTED) == 0
    path, words = CASE["banks"][0]
    bank = predictor
    for name in path.split("."):
        bank = getattr(bank, name)
    memory = getattr(bank, half).mem
    for word in range(words):
        # Bits 0 and 1 of the data, or one of them that was wrong already: at least one word has two.
        memory[word].value = int(memory[word].value) ^ 3
    await bench.offer(CASE["windows"])
    for _ in CASE["windows"]:
        await bench.take()
    assert await bench.read(UNCORRECTED) > 0
