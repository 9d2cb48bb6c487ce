"""A second reader of bundles, written from docs/bundle.md and docs/format.md alone and sharing no code with the crate.

Reads a bundle on standard input and prints what is wrong as JSON: a list of [seq, finding] pairs, or one string if a line is
not as a bundle has it. Exits with 1 if anything is wrong. Whether anybody vouches for the bundle is not its matter.
"""
import base64
import datetime
import hashlib
import ipaddress
import json
import struct
import sys
import uuid

NAMES = {0x05: "action", 0x07: "outcome", 0x10: "actor_kind", 0x11: "actor_id", 0x12: "actor_role", 0x14: "on_behalf_of",
         0x15: "impersonation", 0x20: "entity_type", 0x21: "entity_id", 0x32: "method", 0x33: "endpoint", 0x35: "request_id",
         0x40: "before", 0x41: "after", 0x42: "changes"}
OTHERS = {0x01: "entry_id", 0x02: "tenant", 0x03: "recorded_at", 0x04: "occurred_at", 0x06: "severity", 0x34: "status"}
PERSONAL = {"actor/name": 0x13, "request/ip": 0x30, "request/user_agent": 0x31}
EPOCH = datetime.datetime(1970, 1, 1)


class Damaged(Exception):
    pass


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def demand(condition, problem):
    if not condition:
        raise Damaged(problem)


def parse(line):
    demand(line.endswith(b"\n") and len(line) <= 1 << 26, "a line that does not end")
    value = json.loads(line)
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    demand(canonical.encode() + b"\n" == line, "a line that is not in its one spelling")
    return value


def decode(envelope):
    domain = b"audit-chain/v1/entry\0"
    demand(envelope.startswith(domain + b"\0\1"), "no envelope of format 1")
    (count,), at, fields = struct.unpack_from(">H", envelope, len(domain) + 2), len(domain) + 4, {}
    for _ in range(count):
        tag, length = struct.unpack_from(">HI", envelope, at)
        demand(tag > max(fields, default=0) and at + 6 + length <= len(envelope), "an envelope that is not canonical")
        fields[tag], at = envelope[at + 6:at + 6 + length], at + 6 + length
    demand(at == len(envelope), "an envelope that is not canonical")
    return fields


def commitments(raw):
    at = 0
    while at < len(raw):
        (length,) = struct.unpack_from(">H", raw, at)
        yield raw[at + 2:at + 2 + length].decode(), raw[at + 2 + length:at + 34 + length]
        at += 34 + length


def show(tag, value):
    if tag in NAMES:
        return value.decode()
    if tag in (0x01, 0x02):
        return str(uuid.UUID(bytes=value))
    if tag in (0x03, 0x04):
        time = EPOCH + datetime.timedelta(milliseconds=struct.unpack(">q", value)[0])
        return time.isoformat(timespec="milliseconds") + "Z"
    return ["info", "notice", "warning", "critical"][value[0]] if tag == 0x06 else struct.unpack(">H", value)[0]


def check_entry(line, link):
    envelope = base64.b64decode(line["envelope"], validate=True)
    fields, findings, personal = decode(envelope), [], {}
    altered = sha256(b"\0", envelope) != bytes.fromhex(link["leaf"])
    foreign = str(uuid.UUID(bytes=fields[1])) != link["entry_id"]
    for index, (path, commitment) in enumerate(commitments(fields.get(0x50, b""))):
        opening = line["open"][index] if index < len(line["open"]) else None
        if opening is None:
            personal[path] = {"commitment": commitment.hex()}
            findings.append("PersonalMissing")
            continue
        value, salt = base64.b64decode(opening["value"]), base64.b64decode(opening["salt"])
        tag = PERSONAL.get(path) or {"before": 0x40, "after": 0x41}[path.split("/")[0]]
        personal[path] = str(ipaddress.ip_address(value[1:])) if tag == 0x30 else value.decode()
        if sha256(b"audit-chain/v1/field\0", salt, struct.pack(">H", tag), value) != commitment:
            findings.append("PersonalAltered")
    shown = {{**NAMES, **OTHERS}[tag]: show(tag, value) for tag, value in fields.items() if tag != 0x50}
    demand(line["shown"] == (shown | {"personal": personal} if personal else shown), "a text that is not what it shows")
    return ["ContentAltered"] if altered else ["ForeignEntry"] if foreign else findings


def verify(lines):
    header, findings, digest, entries = parse(next(lines)), [], hashlib.sha256(), 0
    demand((header["type"], header["bundle"]) == ("header", 1), "no header of version 1")
    tenant, head, chosen = uuid.UUID(header["tenant"]).bytes, header["head"], "filter" in header
    genesis = {"seq": 0, "hash": sha256(b"audit-chain/v1/genesis\0", tenant, uuid.UUID(header["chain"]).bytes).hex()}
    last, follows = header.get("start", genesis)["seq"], {header.get("start", genesis)["hash"]}
    digest.update(json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    for raw in lines:
        line = parse(raw)
        if line["type"] == "footer":
            if (line["entries"], line["sha256"]) != (entries, digest.hexdigest()):
                findings.append([None, "FileAltered"])
            break
        digest.update(raw)
        if line["type"] == "checkpoint" and entries == 0:
            continue
        if line["type"] in ("erasure", "purge"):
            continue
        demand(line["type"] in ("entry", "absent"), "a line of an unknown type")
        entries, link = entries + 1, line["link"]
        seq, prev, leaf = link["seq"], bytes.fromhex(link["prev"]), bytes.fromhex(link["leaf"])
        computed = sha256(b"audit-chain/v1/link\0", tenant, struct.pack(">Q", seq), prev, leaf).hex()
        if seq <= last:
            findings.append([seq, "Fork"])
        else:
            if not chosen and seq != last + 1:
                findings.append([last + 1, "LinkMissing"])
            if computed != link["hash"] or not chosen and seq == last + 1 and link["prev"] not in follows:
                findings.append([seq, "LinkBroken"])
            last, follows = seq, {link["hash"], computed}
        absent = {"missing": "EntryMissing", "unreadable": "ContentAltered", "unknown": "UnknownFormat"}
        found = check_entry(line, link) if line["type"] == "entry" else [absent[line["state"]]]
        findings += [[seq, finding] for finding in found]
    else:
        raise Damaged("no footer")
    demand(next(lines, None) is None, "something after the footer")
    if not chosen and head["seq"] > last:
        findings.append([last + 1, "LinkMissing"])
    elif not chosen and (head["seq"] < last or head["hash"] not in follows):
        findings.append([last, "HeadMismatch"])
    # In the order of the chain, and what has no number last.
    return sorted(findings, key=lambda finding: (finding[0] is None, finding[0] or 0))


if __name__ == "__main__":
    try:
        found = verify(iter(sys.stdin.buffer))
    except (Damaged, ValueError, KeyError, IndexError, TypeError, AttributeError, StopIteration, struct.error) as problem:
        found = str(problem) or "damaged"
    print(json.dumps(found))
    sys.exit(1 if found else 0)
