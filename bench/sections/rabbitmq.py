"""Publishing to RabbitMQ: `etl seed` beside the plainest loop with the same client, window, message size and queue.

In: the sample's dump, and a project with the audit log as its only module, so that every message goes to one quorum queue of
a private broker. The two take turns, each on a virtual host of its own.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys

import measure
import profile
import servers
from measure import Figures, Stage
from section import Section, Target

WINDOW, CHANNELS = 2000, 4
OF_BARE_MIN = 0.9
OURS = "etl seed"
PROJECT = servers.FOLDER / "rabbitmq-project"
BARE = servers.RELEASE / "examples/bare_publish"
SETTINGS = '\n[targets.broker]\nurl = "${ETL_BROKER_URL}"\npassword = "${ETL_BROKER_PASSWORD}"\n'


class Bare:
    """The broker, and the loop, by the example that has both."""

    def __init__(self):
        self._process = subprocess.Popen([BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = self._process.stdout.readline().strip()

    def order(self, text):
        print(text, file=self._process.stdin, flush=True)
        return self._process.stdout.readline().strip()

    def end(self):
        self._process.stdin.close()
        self._process.wait()


def environment(port, host):
    """What the project needs to publish to a virtual host."""
    return {"ETL_BROKER_URL": f"amqp://guest@127.0.0.1:{port}/{host}", "ETL_BROKER_PASSWORD": "guest"}


def etl(port, *arguments):
    known = {**os.environ, **environment(port, "ours")}
    done = subprocess.run([servers.ETL, *arguments], cwd=PROJECT, env=known, capture_output=True, text=True, check=False)
    # Exit code 1 tells of rows in quarantine, of which the sample has some.
    if done.returncode not in (0, 1):
        sys.exit(f"bench: {done.stderr}")
    return done.stdout


def make_project():
    shutil.rmtree(PROJECT, ignore_errors=True)
    shutil.copytree(servers.SAMPLE, PROJECT, ignore=shutil.ignore_patterns(".etl"))
    for module in (PROJECT / "modules").iterdir():
        if module.name != "audit":
            shutil.rmtree(module)
    with open(PROJECT / "etl.toml", "a") as settings:
        settings.write(SETTINGS)


def seeding(bare, seed):
    """Into an empty virtual host."""
    def prepare():
        bare.order("host ours")
        etl(bare.port, "topology", "--to", "broker", "--apply")

    return Stage(OURS, [servers.ETL, *seed], 1, prepare, environment(bare.port, "ours"), PROJECT, (0, 1))


def compared(ours, plain, messages, seed, publish):
    """The figures of both, from the seconds of their rounds."""
    unknown = float("nan")
    return [
        Figures(name, messages, statistics.median(walls), unknown, unknown, measure.spread(walls), len(walls), command=command)
        for name, walls, command in [
            ("bare loop with the same client", plain, f"echo {publish} | {BARE}"),
            (OURS, ours, measure.as_text([servers.ETL, *seed], PROJECT)),
        ]
    ]


def run(options):
    dump = servers.dump(servers.SAMPLE, options.rabbit_scale)
    make_project()
    bare = Bare()
    seed = ["seed", "--from", dump, "--to", "broker", "--if-exists", "replace", "--json"]
    stage = seeding(bare, seed)
    ours, plain, messages, size = [], [], 0, 0
    try:
        for number in range(options.rounds):
            measure.tell(f"  round {number + 1} of {options.rounds}: rabbitmq")
            stage.prepare()
            report = json.loads(etl(bare.port, *seed))["modules"][0]
            if not messages:
                messages = report["taken"]
                size = bare.order(f"size ours {messages}")
            ours.append(report["seconds"])
            bare.order("host bare")
            publish = f"publish bare {messages} {size} {WINDOW} {CHANNELS}"
            plain.append(float(bare.order(publish)))
        figures = compared(ours, plain, messages, seed, publish)
        # What the bound is about is wall time, most of which is the broker's.
        of_bare = figures[1].rate / figures[0].rate
        target = Target("etl seed, of the bare loop", of_bare, OF_BARE_MIN, stages=[OURS], shows="machine")
        profiles = profile.of([target], [stage], options)
    finally:
        bare.end()
    measure.tell("")
    title = f"rabbitmq: {messages:,} messages of {size} bytes to a quorum queue, window {WINDOW}, {CHANNELS} channels"
    return [Section("rabbitmq", title, "messages", figures, figures[0].name, [target], profiles=profiles)]
