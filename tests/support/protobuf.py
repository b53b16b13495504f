"""Payments in Google's Protobuf."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def protobuf_message(folder: Path) -> Any:
    """A message class of Google's Protobuf, and its descriptor set as `protoc --include_imports` writes it."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2, wrappers_pb2

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="pay.proto", package="acme", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"])
    colour = file.enum_type.add(name="Colour")
    for name, number in [("NONE", 0), ("RED", 1), ("BLUE", 2)]:
        colour.value.add(name=name, number=number)
    inner = file.message_type.add(name="Merchant")
    inner.field.add(name="city", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    inner.field.add(name="lat", number=2, type=kind.TYPE_DOUBLE, label=kind.LABEL_OPTIONAL)
    message = file.message_type.add(name="Payment")
    types = {
        "i32": kind.TYPE_INT32,
        "i64": kind.TYPE_INT64,
        "u32": kind.TYPE_UINT32,
        "s32": kind.TYPE_SINT32,
        "s64": kind.TYPE_SINT64,
        "x32": kind.TYPE_FIXED32,
        "sx64": kind.TYPE_SFIXED64,
        "dbl": kind.TYPE_DOUBLE,
        "flag": kind.TYPE_BOOL,
        "name": kind.TYPE_STRING,
    }
    for number, (name, of) in enumerate(types.items(), 1):
        message.field.add(name=name, number=number, type=of, label=kind.LABEL_OPTIONAL)
    message.field.add(name="list", number=20, type=kind.TYPE_INT64, label=kind.LABEL_REPEATED)
    for name, number, of in [
        ("colour", 21, ".acme.Colour"),
        ("merchant", 22, ".acme.Merchant"),
        ("at", 23, ".google.protobuf.Timestamp"),
        ("maybe", 24, ".google.protobuf.Int64Value"),
    ]:
        field_type = kind.TYPE_ENUM if name == "colour" else kind.TYPE_MESSAGE
        message.field.add(name=name, number=number, type=field_type, type_name=of, label=kind.LABEL_OPTIONAL)
    message.oneof_decl.add(name="choice")
    for name, number, of in [("left", 25, kind.TYPE_INT64), ("right", 26, kind.TYPE_STRING)]:
        message.field.add(name=name, number=number, type=of, label=kind.LABEL_OPTIONAL, oneof_index=0)
    files = descriptor_pb2.FileDescriptorSet()
    for imported in (timestamp_pb2, wrappers_pb2):
        imported.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().CopyFrom(file)
    (folder / "pay.desc").write_bytes(files.SerializeToString())
    pool = descriptor_pool.DescriptorPool()
    for one in files.file:
        pool.Add(one)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("acme.Payment"))
