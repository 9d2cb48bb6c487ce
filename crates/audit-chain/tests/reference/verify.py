"""A second implementation of format 1, written from docs/format.md alone and sharing no code with the crate.

Reads a log as JSON on standard input, prints the list of [seq, finding] pairs as JSON, and exits with 1 if it is not empty.
Bytes are hexadecimal, times are milliseconds, JSON columns are the text as stored.
"""
import hashlib
import hmac
import json
import struct
import sys
import uuid

TEXTS = {"action": 0x05, "outcome": 0x07, "actor_kind": 0x10, "actor_id": 0x11, "actor_role": 0x12, "on_behalf_of": 0x14,
         "impersonation": 0x15, "entity_type": 0x20, "entity_id": 0x21, "method": 0x32, "endpoint": 0x33, "request_id": 0x35,
         "before": 0x40, "after": 0x41, "changes": 0x42}
NUMBERS = {"recorded_at": (0x03, ">q"), "occurred_at": (0x04, ">q"), "severity": (0x06, ">B"), "status": (0x34, ">H")}
PERSONAL = {"actor/name": 0x13, "request/ip": 0x30, "request/user_agent": 0x31}


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def envelope(entry):
    fields = {0x01: uuid.UUID(entry["entry_id"]).bytes, 0x02: uuid.UUID(entry["tenant_id"]).bytes}
    fields |= {tag: entry[name].encode() for name, tag in TEXTS.items() if entry[name] is not None}
    fields |= {tag: struct.pack(form, entry[name]) for name, (tag, form) in NUMBERS.items() if entry[name] is not None}
    if entry["personal_paths"]:
        pairs = zip(entry["personal_paths"], entry["commitments"], strict=True)
        fields[0x50] = b"".join(struct.pack(">H", len(path.encode())) + path.encode() + bytes.fromhex(c) for path, c in pairs)
    body = b"".join(struct.pack(">HI", tag, len(value)) + value for tag, value in sorted(fields.items()))
    return b"audit-chain/v1/entry\0" + struct.pack(">HH", 1, len(fields)) + body


def commitment(path, value, salt):
    tag = PERSONAL.get(path) or {"before": 0x40, "after": 0x41}[path.split("/")[0]]
    return sha256(b"audit-chain/v1/field\0", salt, struct.pack(">H", tag), value)


def salt_of(seed, path):
    return hmac.new(seed, path.encode(), hashlib.sha256).digest()


def genesis(tenant, chain_id):
    return sha256(b"audit-chain/v1/genesis\0", uuid.UUID(tenant).bytes, uuid.UUID(chain_id).bytes)


def link_hash(tenant, seq, prev, leaf):
    return sha256(b"audit-chain/v1/link\0", uuid.UUID(tenant).bytes, struct.pack(">Q", seq), prev, leaf)


def fields_of(envelope):
    at, fields = len(b"audit-chain/v1/entry\0") + 4, {}
    while at < len(envelope):
        tag, length = struct.unpack_from(">HI", envelope, at)
        fields[tag] = envelope[at + 6:at + 6 + length]
        at += 6 + length
    return fields


def root(leaves):
    if not leaves:
        return sha256()
    while len(leaves) > 1:
        pairs = [leaves[at:at + 2] for at in range(0, len(leaves), 2)]
        leaves = [sha256(b"\1", *pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return leaves[0]


def erased_leaf(value):
    path = value["path"].encode()
    return sha256(b"\0audit-chain/v1/erased\0", uuid.UUID(value["entry_id"]).bytes, struct.pack(">H", len(path)), path,
                  bytes.fromhex(value["commitment"]))


def purged_leaf(span):
    return sha256(b"\0audit-chain/v1/purged\0", struct.pack(">QQ", span["first_seq"], span["last_seq"]),
                  bytes.fromhex(span["before"]), bytes.fromhex(span["after"]))


def forgotten(log):
    """What evidence that holds covers: values by entry, path and commitment, and numbers; and the places of what does not hold."""
    values, numbers, forged = set(), set(), []
    links = {item["link"]["seq"]: item["link"] for item in log["entries"]}
    for evidence in log.get("evidence", []):
        envelope, listed = bytes.fromhex(evidence["envelope"]), evidence["list"] or []
        fields, purge = fields_of(envelope), evidence["action"] == "audit.purged"
        leaf, entry_id = sha256(b"\0", envelope).hex(), str(uuid.UUID(bytes=fields[0x01]))
        seq = next((link["seq"] for link in links.values() if (link["entry_id"], link["leaf"]) == (entry_id, leaf)), None)
        stated = json.loads(fields[0x41])
        leaves = [(purged_leaf if purge else erased_leaf)(part) for part in listed]
        holds = seq and fields[0x05].decode() == evidence["action"] and stated["count"] == len(listed) \
            and stated["root"] == root(leaves).hex() and uuid.UUID(bytes=fields[0x02]) == uuid.UUID(log["tenant"])
        for span in listed if purge else []:
            first, last = links.get(span["first_seq"]), links.get(span["last_seq"])
            holds = holds and first and last and (first["prev"], last["hash"]) == (span["before"], span["after"]) and span["last_seq"] < seq
        if not holds:
            forged.append([seq, "ForgedPurge" if purge else "ForgedErasure"])
        elif purge:
            numbers.update(seq for span in listed for seq in range(span["first_seq"], span["last_seq"] + 1))
        else:
            values.update((value["entry_id"], value["path"], value["commitment"]) for value in listed)
    return values, numbers, forged


def check_entry(item, leaf, values, numbers):
    entry = item["entry"]
    if entry is None:
        return [] if item["link"]["seq"] in numbers else ["EntryMissing"]
    if sha256(b"\0", envelope(entry)) != leaf or entry["leaf"] != leaf.hex():
        return ["ContentAltered"]
    findings, payload = [], item["payload"] or {"field_values": [], "salts": []}
    for index, path in enumerate(entry["personal_paths"] or []):
        if index >= len(payload["field_values"]) or payload["field_values"][index] is None:
            if (entry["entry_id"], path, entry["commitments"][index]) not in values:
                findings.append("PersonalMissing")
        elif commitment(path, bytes.fromhex(payload["field_values"][index]),
                        bytes.fromhex(payload["salts"][index])).hex() != entry["commitments"][index]:
            findings.append("PersonalAltered")
    return findings


def verify(log):
    values, numbers, findings = forgotten(log)
    head, last = log["head"], 0
    follows = {genesis(log["tenant"], head["chain_id"])}
    for item in log["entries"]:
        link = item["link"]
        seq, prev, leaf, stored = link["seq"], *(bytes.fromhex(link[name]) for name in ("prev", "leaf", "hash"))
        if seq != last + 1:
            findings.append([last + 1, "LinkMissing"])
        computed = link_hash(log["tenant"], seq, prev, leaf)
        if computed != stored or (seq == last + 1 and prev not in follows):
            findings.append([seq, "LinkBroken"])
        last, follows = seq, {stored, computed}
        findings += [[seq, finding] for finding in check_entry(item, leaf, values, numbers)]
    if head["seq"] > last:
        findings.append([last + 1, "LinkMissing"])
    elif head["seq"] < last or bytes.fromhex(head["hash"]) not in follows:
        findings.append([last, "HeadMismatch"])
    return sorted(findings, key=lambda finding: (finding[0] is None, finding[0] or 0))


if __name__ == "__main__":
    found = verify(json.load(sys.stdin))
    print(json.dumps(found))
    sys.exit(1 if found else 0)
