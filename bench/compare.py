"""What got slower from one run to another, by more than the noise.

usage: python3 bench/compare.py BEFORE.json AFTER.json

Stages are compared by their ratio to the section's base stage, where there is one, since machines differ from hour to hour;
else by their time. The noise is the spread of both runs' rounds, those of the base stage among them, and at least a tenth.
Stages that ran but once have no spread, so they are told and not judged. Exits with 1 when a stage got slower.
"""

import json
import sys

NOISE_LEAST = 0.10


def stages(result):
    """Section and stage to: measured time or ratio, spread, and whether there were rounds enough to have one."""
    found = {}
    for part in result["sections"]:
        base = next((stage for stage in part["stages"] if stage["name"] == part["base"]), {"wall": 1.0, "spread": 0.0})
        for stage in part["stages"]:
            spread = stage["spread"] + (base["spread"] if stage["name"] != part["base"] else 0)
            found[part["name"], stage["name"]] = (stage["wall"] / base["wall"], spread, stage["rounds"] > 1)
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    before, after = (stages(json.load(open(name))) for name in sys.argv[1:])
    slower = 0
    for key in [key for key in before if key in after]:
        (was, noise, judged), (now, noise_now, judged_now) = before[key], after[key]
        change = now / was - 1
        if abs(change) > max(noise + noise_now, NOISE_LEAST):
            once = "" if judged and judged_now else ", ran once"
            slower += change > 0 and not once
            print(f"{'slower' if change > 0 else 'faster'} {change:+.0%}  {key[0]}: {key[1]}{once}")
    for key in sorted(before.keys() ^ after.keys()):
        print(f"only {'before' if key in before else 'after'}  {key[0]}: {key[1]}")
    print(f"{len(before.keys() & after.keys())} stages compared, {slower} slower")
    sys.exit(1 if slower else 0)


main()
