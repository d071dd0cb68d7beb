"""Names of functions as a reader wants them: demangled, without the types they were made for, hashes and closures.

In: what perf and heaptrack call a place. Out: `schemas::dump::decode::Decoder::decode` for what the linker knows as
`_RNvMNtNtCs..._11etl_schemas...`. A name that isn't understood stays as it is.
"""

import re
import shutil
import subprocess

NOISE = re.compile(
    r"\[[0-9a-f]{6,}\]|::h[0-9a-f]{16}\b|::_?\{+(?:closure|shim|impl)[^{}]*\}+"
    r"|\.llvm\.\d+|\.(?:constprop|isra|part|cold)(?:\.\d+)?"
)
OURS = re.compile(r"\betl_(?=\w+::)")
LONGEST = 90
# What the older of Rust's two ways to write names into a symbol table makes of signs.
ESCAPES = {"LT": "<", "GT": ">", "RF": "&", "BP": "*", "LP": "(", "RP": ")", "C": ",", "u20": " ", "u27": "'", "u5b": "[", "u5d": "]",
           "u7b": "{", "u7d": "}", "u3b": ";", "u2b": "+", "u22": '"'}
ESCAPE = re.compile(r"\$(%s)\$" % "|".join(ESCAPES))
KERNEL, JIT, UNKNOWN = "kernel", "code made at run time", "unknown"


def demangled(names):
    """Each name to what it stands for, where c++filt, which every linker comes with, can tell."""
    mangled = [name for name in names if name.startswith(("_R", "_Z"))]
    if not mangled or not shutil.which("c++filt"):
        return {}
    told = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=False).stdout
    return dict(zip(mangled, told.splitlines()))


def short(name):
    """A demangled name without what the compiler added: `<a::B<T> as c::D>::e::<f::G>` is `a::B::e`."""
    if "$" in name:
        name = ESCAPE.sub(lambda found: ESCAPES[found[1]], name).replace("..", "::").replace("_<", "<").replace("_{", "{")
    plain = NOISE.sub("", name.replace("->", "→"))
    if plain.count("<") != plain.count(">"):
        return name[:LONGEST]
    return OURS.sub("", _path(plain))[:LONGEST]


def _path(text):
    if text.startswith("<") and (end := _closing(text)):
        owner = _as(text[1:end]).lstrip("&*").removeprefix("mut ").removeprefix("const ").removeprefix("dyn ")
        text = _path(owner) + text[end + 1:]
    depth, kept = 0, []
    for place, character in enumerate(text):
        if character == "<":
            depth += 1
            if depth == 1 and text[place - 2:place] == "::":
                del kept[-2:]
        if depth == 0:
            kept.append(character)
        depth -= character == ">"
    return "".join(kept)


def _closing(text):
    """Where the bracket that the text begins with is closed."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "<") - (character == ">")
        if depth == 0:
            return place
    return None


def _as(text):
    """The type of `type as trait`."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "<") - (character == ">")
        if depth == 0 and text.startswith(" as ", place):
            return text[:place]
    return text


def binary(path):
    """A program or a library as it is called: `libc` for `/usr/lib/x86_64-linux-gnu/libc.so.6`."""
    if path == "[unknown]":
        return UNKNOWN
    if "JIT" in path or path.startswith(("//anon", "/memfd:")):
        return JIT
    # Modules of the kernel are told in brackets too.
    if path.startswith("[") and path != "[vdso]":
        return KERNEL
    return path.removesuffix(" (deleted)").rpartition("/")[2].partition(".so")[0]
