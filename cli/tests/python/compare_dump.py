"""Reads every table of a dump with gunzip, protoc and Google's protobuf, and compares it, field by field, with the
rows that an independent TDS client reads from the server.

usage: compare_dump.py DUMP HOST PORT USER DATABASE     (the password is in ETL_SOURCE_PASSWORD)

Nothing of the project's own code takes part: the schema is the dump's schema.proto, compiled by protoc. Prints one line
a table and a closing one; ends with 1 at the first difference, naming table, row and column.

The client's datetimes carry microseconds, so the seventh digit of datetime2, time and datetimeoffset is left out of the
comparison here.
"""

import codecs
import datetime
import decimal
import importlib.resources
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid

import pytds
import pytds.tds_reader
import pytds.tds_types
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.decoder import _DecodeVarint32
from grpc_tools import protoc

EPOCH = datetime.datetime(1970, 1, 1)


def replace_lone_surrogates():
    """The client dies of half a surrogate pair; a dump holds U+FFFD in its place."""
    strict = codecs.lookup("utf_16_le")

    class Decoder(codecs.BufferedIncrementalDecoder):
        _buffer_decode = staticmethod(lambda data, errors, final: codecs.utf_16_le_decode(data, "replace", final))

    lossy = codecs.CodecInfo(
        encode=strict.encode,
        decode=lambda data, errors="strict": strict.decode(data, "replace"),
        incrementaldecoder=Decoder,
        name="utf-16-le-replacing",
    )
    pytds.tds_types.ucs2_codec = lossy
    pytds.tds_reader.ucs2_codec = lossy


def compile_schema(dump):
    """The messages of schema.proto, by full name, and the source name of each field, from the dump's own options."""
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    with tempfile.NamedTemporaryFile() as out:
        arguments = ["protoc", f"-I{dump}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={out.name}"]
        if protoc.main(arguments + [os.path.join(dump, "schema.proto")]) != 0:
            sys.exit("protoc refuses schema.proto")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def rows_of(dump, part, message_class):
    """The messages of one part, by gunzip and varint lengths alone."""
    content = subprocess.run(["gunzip", "-c", os.path.join(dump, part)], check=True, stdout=subprocess.PIPE).stdout
    at = 0
    while at < len(content):
        length, at = _DecodeVarint32(content, at)
        yield message_class.FromString(content[at : at + length])
        at += length


def instant(timestamp):
    return EPOCH + datetime.timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


def from_dump(message, field, sql_type):
    """A field's value as the client would give it."""
    if not message.HasField(field.name):
        return None
    value = getattr(message, field.name)
    name = sql_type.split("(")[0]
    if name in ("decimal", "numeric", "money", "smallmoney"):
        # The client drops trailing zeros; the dump has every digit of the declared scale.
        scale = 4 if "money" in name else int(sql_type.rstrip(")").split(",")[1])
        digits = decimal.Decimal(value)
        if -digits.as_tuple().exponent != scale:
            raise ValueError(f"{field.full_name}: {value} hasn't {scale} decimal places")
        return digits
    if name == "uniqueidentifier":
        return uuid.UUID(bytes=value)
    if name == "date":
        return EPOCH.date() + datetime.timedelta(days=value)
    if name == "time":
        return (EPOCH + datetime.timedelta(microseconds=value // 1000)).time()
    if name in ("datetime", "smalldatetime", "datetime2"):
        return instant(value)
    if name == "datetimeoffset":
        zone = datetime.timezone(datetime.timedelta(minutes=value.offset_minutes))
        return instant(value.utc).replace(tzinfo=datetime.timezone.utc).astimezone(zone)
    if name == "sql_variant":
        return from_variant(value.base_type, value.text)
    return value


def from_variant(base_type, text):
    """A sql_variant's text as the value that the client makes of its base type."""
    if base_type in ("tinyint", "smallint", "int", "bigint"):
        return int(text)
    if base_type == "bit":
        return {"0": False, "1": True}[text]
    if base_type in ("real", "float"):
        return float(text)
    if base_type in ("decimal", "numeric", "money", "smallmoney"):
        return decimal.Decimal(text)
    if base_type == "uniqueidentifier":
        return uuid.UUID(text)
    if base_type == "date":
        return datetime.date.fromisoformat(text)
    if base_type in ("datetime", "smalldatetime", "datetime2"):
        return datetime.datetime.fromisoformat(text)
    if base_type in ("binary", "varbinary"):
        return bytes.fromhex(text.removeprefix("0x"))
    return text


def differs(expected, found):
    if isinstance(expected, datetime.datetime) and expected.tzinfo is not None and found is not None:
        return expected != found or expected.utcoffset() != found.utcoffset()
    if isinstance(expected, bool) or isinstance(found, bool):
        return bool(expected) != bool(found) or (expected is None) != (found is None)
    return expected != found


def compare(cursor, dump, pool, table, counts):
    schema, name, columns = table["schema"], table["name"], table["columns"]
    full_name = f"{schema}.{name}"
    descriptor = pool.FindMessageTypeByName(f"legacy.{re.sub('[^A-Za-z0-9]', '_', schema)}.{table['message']}")
    message_class = message_factory.GetMessageClass(descriptor)
    fields = [descriptor.fields_by_number[number] for number in sorted(descriptor.fields_by_number)]
    selected = ", ".join(f"[{column['name']}]" for column in columns)
    order = ", ".join(f"[{column}]" for column in table["key"]["columns"]) if "key" in table else ""
    cursor.execute(f"SELECT {selected} FROM [{schema}].[{name}]" + (f" ORDER BY {order}" if order else ""))
    dumped = itertools.chain.from_iterable(rows_of(dump, part["file"], message_class) for part in table["parts"])
    rows = 0
    for served, message in itertools.zip_longest(iter(cursor.fetchone, None), dumped):
        rows += 1
        if served is None or message is None:
            sys.exit(f"{full_name}: row {rows} is {'not on the server' if served is None else 'missing in the dump'}")
        for field, column, expected in zip(fields, columns, served, strict=True):
            found = from_dump(message, field, column["type"])
            counts["fields"] += 1
            if differs(expected, found):
                sys.exit(f"{full_name}: row {rows}, column {column['name']}: server {expected!r}, dump {found!r}")
    print(f"{full_name}: {rows} rows equal")
    return rows


def main():
    dump, host, port, user, database = sys.argv[1:6]
    replace_lone_surrogates()
    pool = compile_schema(dump)
    counts = {"fields": 0}
    with open(os.path.join(dump, "manifest.json"), encoding="utf-8") as file:
        tables = json.load(file)["tables"]
    password = os.environ["ETL_SOURCE_PASSWORD"]
    with pytds.connect(
        dsn=host, port=int(port), user=user, password=password, database=database, use_mars=False, autocommit=True
    ) as connection:
        with connection.cursor() as cursor:
            rows = sum(compare(cursor, dump, pool, table, counts) for table in tables)
    print(f"all equal: {rows} rows, {counts['fields']} fields")


main()
