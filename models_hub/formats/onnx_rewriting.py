"""An ONNX model written anew from the parts that were understood, so that only our bytes reach a
runtime.

What is not copied is not there any more: doc strings, metadata, names of nodes, declared types of
inner values, training information, fields that this version of ONNX does not know, and every part
of an attribute beside the one that its type names.
"""

from collections.abc import Callable
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, numpy_helper

from models_hub.formats.onnx_tensors import check_tensor
from models_hub.formats.refusal import Refused

MAX_NAME = 1_000
MAX_ATTRIBUTES = 100
MAX_OUTPUTS = 100


def domain_of(domain: str) -> str:
    """The standard operators have two names; "" is the one used here."""
    return "" if domain == "ai.onnx" else domain


def rewritten(model: ModelProto) -> ModelProto:
    """A new model of the same graph. Raises `Refused` for what holds anything else."""
    old = model.graph
    if old.sparse_initializer:
        raise Refused("onnx_tensor_invalid", "Sparse weights are not accepted.")
    if len(old.output) > MAX_OUTPUTS:
        raise Refused("onnx_too_large", f"The graph has {len(old.output)} outputs.")
    new = ModelProto(ir_version=model.ir_version, producer_name="berth")
    for domain, version in {(domain_of(e.domain), e.version): 0 for e in model.opset_import}:
        new.opset_import.add(domain=domain, version=version)
    graph = new.graph
    graph.name = "berth"
    for tensor in old.initializer:
        graph.initializer.append(_tensor(tensor, _name(tensor.name)))
    for node in old.node:
        _copy_node(node, graph)
    constants = {tensor.name for tensor in old.initializer}
    graph.input.extend(_value(value) for value in old.input if value.name not in constants)
    graph.output.extend(_value(value) for value in old.output)
    return new


def _name(name: str) -> str:
    if len(name) > MAX_NAME:
        raise Refused("onnx_too_large", "A name in the graph is too long.")
    return name


def _value(value: Any) -> Any:
    """An input or output with its tensor's type and shape; without, if it is no tensor."""
    new = helper.make_empty_tensor_value_info(_name(value.name))
    if value.type.HasField("tensor_type"):
        tensor = new.type.tensor_type
        tensor.elem_type = value.type.tensor_type.elem_type
        for dim in value.type.tensor_type.shape.dim:
            place = tensor.shape.dim.add()
            if dim.HasField("dim_value"):
                place.dim_value = dim.dim_value
    return new


def _tensor(tensor: Any, name: str = "") -> Any:
    check_tensor(tensor)
    new = TensorProto(name=name, data_type=tensor.data_type, dims=tensor.dims)
    if tensor.data_type == TensorProto.STRING:
        new.string_data.extend(map(_text, tensor.string_data))
    else:
        new.raw_data = numpy_helper.to_array(tensor).tobytes()
    return new


def _text(text: bytes) -> bytes:
    """Texts come back as answers and labels: they must be texts that can be told and kept."""
    try:
        fine = "\0" not in text.decode()
    except UnicodeDecodeError:
        fine = False
    if not fine:
        raise Refused("onnx_tensor_invalid", "A text in the model is not valid UTF-8.")
    return text


def _copy_node(node: Any, graph: GraphProto) -> None:
    if len(node.attribute) > MAX_ATTRIBUTES:
        raise Refused("onnx_too_large", "A node has too many attributes.")
    names = [attribute.name for attribute in node.attribute]
    if len(set(names)) != len(names):
        raise Refused("onnx_corrupt", "A node has two attributes of the same name.")
    new = graph.node.add(op_type=_name(node.op_type), domain=domain_of(_name(node.domain)))
    new.input.extend(map(_name, node.input))
    new.output.extend(map(_name, node.output))
    for attribute in node.attribute:
        _copy_attribute(attribute, new.attribute.add())


def _copy_attribute(old: Any, new: Any) -> None:
    kind = AttributeProto.AttributeType.Name(old.type) if old.type in _FIELDS else ""
    if not kind or old.ref_attr_name:
        raise Refused(
            "onnx_operator_not_allowed",
            "A node holds a graph, a sparse tensor or a reference to another attribute.",
        )
    name = _name(old.name)
    field, copied = _FIELDS[old.type]
    if field in _LISTS:
        _copy_list(old, new, field)
        return
    new.name, new.type = name, old.type
    value = copied(getattr(old, field))
    if field == "t":
        new.t.CopyFrom(value)
    else:
        setattr(new, field, value)


def _copy_list(old: Any, new: Any, field: str) -> None:
    """A list goes over in one piece and each text is looked at once: forests have millions."""
    for text in set(old.strings if field == "strings" else ()):
        _text(text)
    new.CopyFrom(old)
    for part, _ in new.ListFields():
        if part.name not in ("name", "type", field):
            new.ClearField(part.name)
    new.DiscardUnknownFields()


def _same(value: Any) -> Any:
    return value


_LISTS = {"floats", "ints", "strings"}
_FIELDS: dict[int, tuple[str, Callable[[Any], Any]]] = {
    AttributeProto.FLOAT: ("f", _same),
    AttributeProto.INT: ("i", _same),
    AttributeProto.STRING: ("s", _text),
    AttributeProto.TENSOR: ("t", _tensor),
    AttributeProto.FLOATS: ("floats", _same),
    AttributeProto.INTS: ("ints", _same),
    AttributeProto.STRINGS: ("strings", _text),
}
