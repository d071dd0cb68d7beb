"""Whose a process is, while a profile of the whole machine is recorded: of the stage, a server's beside it, or somebody else's.

In: /proc, looked at now and then, since a process that has ended can't be asked any more. What lives shorter than the
while between two looks counts as another program's.
"""

import os
import pathlib
import re
import threading

FIRST_SECONDS, LAST_SECONDS = 0.02, 0.5
IDLE, OTHERS, OURSELVES, THREADS_OF_KERNEL = "idle", "other programs", "the benchmark itself", "threads of the kernel"
ROLE = re.compile(r"\b(checkpointer|walwriter|background writer|autovacuum \w+|logical replication \w+|parallel worker)\b")


class Watch:
    """Looks as long as its block runs. Then `label` tells a process's name and `of_command` and `ours` whose it is."""

    def __init__(self):
        self._known, self._ended = {}, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        # Closely at first: a short stage would be over otherwise.
        pause = FIRST_SECONDS
        self._look()
        while not self._ended.wait(pause):
            self._look()
            pause = min(pause * 2, LAST_SECONDS)

    def _look(self):
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                before, _, after = (folder / "stat").read_text().rpartition(")")
                words = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
            except OSError:
                continue
            self._known[int(folder.name)] = before.partition("(")[2], int(after.split()[1]), words

    def _above(self, process):
        """The names of the processes that started it, itself first, up to the benchmark; empty where it isn't the benchmark's."""
        names = []
        while process in self._known and process != os.getpid():
            name, process, _ = self._known[process]
            names.append(name)
        return names if process == os.getpid() else []

    def ours(self, process):
        """Of the stage, or of a server beside it."""
        above = self._above(process)
        return bool(above) and above[0] != "perf"

    def of_command(self, process):
        """Of the stage alone, which perf has started."""
        return self.ours(process) and "perf" in self._above(process)

    def label(self, process):
        if process == 0:
            return IDLE
        name, parent, words = self._known.get(process, ("", 0, ""))
        if not self.ours(process):
            benchmark = process == os.getpid() or self._above(process)
            return OURSELVES if benchmark else THREADS_OF_KERNEL if 2 in (process, parent) else OTHERS
        if words.startswith("postgres:"):
            role = ROLE.search(words)
            return f"postgres {role[1] if role else 'backends'}"
        return name
