"""ChangeResourceRecordSets as AWS documents it, where moto 5.1 does not do so (API reference,
ChangeResourceRecordSets): all changes of a batch or none; CREATE is refused when there is a set of
the name and type, DELETE unless the set is there with the same values and TTL; each refusal has its
sentence; at most 1,000 records and 32,000 characters, UPSERT counted twice. moto refuses what was
ever created before, and takes a second set beside the first."""

import copy

from moto.route53 import models
from moto.route53.exceptions import Route53ClientError

_RECORDS_MAX = 1000
_CHARACTERS_MAX = 32000


class InvalidBatch(Route53ClientError):
    code = 400

    def __init__(self, sentences):
        super().__init__("InvalidChangeBatch", f"[{', '.join(sentences)}]")


def _values(record_set):
    records = record_set.get("ResourceRecords")
    if not records:
        return []
    records = list(records.values())[0]
    return [each["Value"] for each in (records if isinstance(records, list) else [records])]


def _check_size(changes):
    records = characters = 0
    for change in changes:
        values = _values(change["ResourceRecordSet"])
        times = 2 if change["Action"] == "UPSERT" else 1
        records += times * len(values)
        characters += times * sum(map(len, values))
    if records > _RECORDS_MAX:
        raise InvalidBatch([f"Number of records limit of {_RECORDS_MAX} exceeded"])
    if characters > _CHARACTERS_MAX:
        raise InvalidBatch([f"Number of characters limit of {_CHARACTERS_MAX} exceeded"])


def _find(sets, name, kind):
    return next((each for each in sets if each.name == name and each.type_ == kind), None)


def _apply(zone, sets, change):
    """One change; the sentence that refuses it, or None."""
    given = change["ResourceRecordSet"]
    name, kind, action = given["Name"].rstrip(".").lower() + ".", given["Type"], change["Action"]
    if not f".{name}".endswith(f".{zone.name.rstrip('.')}."):
        return f"RRSet with DNS name {name} is not permitted in zone {zone.name}"
    there = _find(sets, name, kind)
    what = f"resource record set [name='{name}', type='{kind}']"
    if action == "DELETE":
        if there is None:
            return f"Tried to delete {what} but it was not found"
        if sorted(there.records) != sorted(_values(given)) or str(there.ttl) != str(given.get("TTL")):
            return f"Tried to delete {what} but the values provided do not match the current values"
        sets.remove(there)
        return None
    if there is not None and action == "CREATE":
        return f"Tried to create {what} but it already exists"
    other = _find(sets, name, "CNAME")
    if other is not None and kind != "CNAME":
        return (f"RRSet of type {kind} with DNS name {name} is not permitted because a conflicting "
                f"RRSet of type CNAME with the same DNS name already exists in zone {zone.name}")
    if there is not None:
        sets.remove(there)
    made = dict(given, Name=name, ResourceRecords=_values(given))
    sets.append(models.RecordSet(made))
    return None


def _change(self, zoneid, change_list):
    zone = self.get_hosted_zone(zoneid)
    _check_size(change_list)
    sets = copy.copy(zone.rrsets)
    sentences = [each for change in change_list if (each := _apply(zone, sets, change))]
    if sentences:
        raise InvalidBatch(sentences)
    zone.rrsets = sets


models.Route53Backend.change_resource_record_sets = _change
