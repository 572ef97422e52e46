"""The rules of deny.toml for licences, wildcards and sources, on `cargo metadata` from standard input.

`.ci/dependencies` uses it where cargo-deny is not installed. It knows the settings that deny.toml has today, and fails if there
are others. It reads the licences that packages declare, not their texts.
"""

import json
import re
import sys
import tomllib

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
# The list of allowed licences is read, and all else must be as it is today.
KNOWN = {
    "licenses": {"confidence-threshold": 0.9, "private": {"ignore": True}},
    "bans": {"multiple-versions": "warn", "wildcards": "deny", "allow-wildcard-paths": True},
    "sources": {"unknown-registry": "deny", "unknown-git": "deny"},
}


def is_allowed(expression, allowed):
    """Whether the allowed licences satisfy an SPDX expression. A slash, as in old packages, is OR; a plus is *or later*."""
    words = {"AND": "and", "OR": "or", "/": "or", "(": "(", ")": ")"}
    tokens = re.findall(r"[()/]|[\w.+-]+(?: WITH [\w.+-]+)?", expression)
    # Nothing of the text is evaluated: each licence becomes `True` or `False`.
    return eval(" ".join(words.get(token) or str(token.removesuffix("+") in allowed) for token in tokens))


def problems(metadata, rules):
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    allowed = set(rules["licenses"]["allow"])
    for package in (package for package in metadata["packages"] if package["id"] in used):
        name = f"{package['name']} {package['version']}"
        is_private = package["publish"] == []
        if not is_private and not is_allowed(package["license"] or "none", allowed):
            yield f"{name}: the licence `{package['license']}` is not allowed"
        if package["source"] not in (None, CRATES_IO):
            yield f"{name}: the source `{package['source']}` is unknown"
        for needed in package["dependencies"]:
            is_path = "path" in needed and (is_private or needed["kind"] == "dev")
            if needed["req"] == "*" and not is_path:
                yield f"{name}: the dependency `{needed['name']}` has no version"


def main():
    with open("deny.toml", "rb") as file:
        rules = tomllib.load(file)
    settings = {part: {name: value for name, value in those.items() if (part, name) != ("licenses", "allow")}
                for part, those in rules.items()}
    unknown = [] if settings == KNOWN else [f"deny.toml has settings that this script does not know: {settings}"]
    metadata = json.load(sys.stdin)
    found = unknown + sorted(problems(metadata, rules))
    print("\n".join(found) or f"{len(metadata['resolve']['nodes'])} packages: licences, wildcards and sources are allowed")
    sys.exit(bool(found))


main()
