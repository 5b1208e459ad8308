"""Reads IP-XACT files: are they well-formed, does every reference lead somewhere, and, where ipyxact is there, are all elements
those of the schema of IEEE 1685-2014 and in its order. Prints `schema` or `no schema`."""

import contextlib
import io
import sys
import xml.etree.ElementTree as tree

IPXACT = "{http://www.accellera.org/XMLSchema/IPXACT/1685-2014}"

try:
    from ipyxact import ipxact2014
except ImportError:
    ipxact2014 = None

# What a reader made from the schema writes though it was left out, because it has a default.
DEFAULTS = {IPXACT + "bitSteering", IPXACT + "reserved"}


def texts(root, path):
    return [e.text for e in root.findall("/".join(IPXACT + name for name in path.split("/")))]


def plain(element):
    children = [plain(c) for c in element if c.tag not in DEFAULTS]
    return element.tag, sorted(element.attrib.items()), (element.text or "").strip(), children


for path in sys.argv[1:]:
    root = tree.parse(path).getroot()
    assert root.tag == IPXACT + "component", root.tag
    ports = texts(root, "model/ports/port/name")
    assert len(ports) == len(set(ports))
    ends = "busInterfaces/busInterface/abstractionTypes/abstractionType/portMaps/portMap/physicalPort/name"
    mapped = texts(root, ends)
    assert len(mapped) == len(set(mapped)) and set(ports) - set(mapped) <= {"dropped"} and set(mapped) <= set(ports)
    views = texts(root, "model/views/view/componentInstantiationRef")
    assert views == texts(root, "model/instantiations/componentInstantiation/name")
    sets = texts(root, "model/instantiations/componentInstantiation/fileSetRef/localName")
    assert set(sets) == set(texts(root, "fileSets/fileSet/name"))
    maps = texts(root, "memoryMaps/memoryMap/name")
    assert maps == [e.get("memoryMapRef") for e in root.iter(IPXACT + "memoryMapRef")]
    registers = root.findall(f".//{IPXACT}register")
    assert bool(registers) == bool(maps)
    for register in registers:
        used = 0
        for field in register.findall(IPXACT + "field"):
            low, width = (int(field.find(IPXACT + name).text) for name in ("bitOffset", "bitWidth"))
            bits = ((1 << width) - 1) << low
            assert used & bits == 0 and bits < 1 << 32, register.find(IPXACT + "name").text
            used |= bits
    if ipxact2014:
        with contextlib.redirect_stderr(io.StringIO()) as warnings:
            read = ipxact2014.parse(path, silence=True)
        assert not warnings.getvalue(), warnings.getvalue()
        written = io.StringIO()
        read.export(written, 0, namespacedef_=f'xmlns:ipxact="{IPXACT[1:-1]}"', name_="component")
        again = tree.fromstring(written.getvalue())
        assert plain(root) == plain(again), "an element that the schema does not have, or elsewhere"
print("schema" if ipxact2014 else "no schema")
