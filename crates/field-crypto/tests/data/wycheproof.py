#!/usr/bin/env python3
"""Writes wycheproof_*.json from the test vectors of Project Wycheproof (github.com/C2SP/wycheproof, Apache-2.0):

    wycheproof.py FOLDER        with aes_gcm_test.json, hmac_sha256_test.json and hkdf_sha256_test.json in it
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent


def cases(name, fields, wanted=lambda group: True):
    groups = json.loads((pathlib.Path(sys.argv[1]) / f"{name}_test.json").read_text())["testGroups"]
    for group in filter(wanted, groups):
        for test in group["tests"]:
            yield {"id": test["tcId"], **{field: test[field] for field in fields}, "valid": test["result"] == "valid"}


def write(name, found):
    found = [json.dumps(case) for case in found]
    (HERE / f"wycheproof_{name}.json").write_text("[\n" + ",\n".join(found) + "\n]\n")
    print(name, len(found))


def ours(group):
    return (group["keySize"], group["ivSize"], group["tagSize"]) == (256, 96, 128)


write("aes_256_gcm", cases("aes_gcm", ["key", "iv", "aad", "msg", "ct", "tag"], ours))
write("hmac_sha256", cases("hmac_sha256", ["key", "msg", "tag"]))
write("hkdf_sha256", cases("hkdf_sha256", ["ikm", "salt", "info", "size", "okm"]))
