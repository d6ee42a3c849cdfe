"""The Open Inference Protocol as anybody's program meets it."""

import gzip
import http.client
import json
import zlib
from typing import Any

import httpx
import pytest
from sklearn.pipeline import Pipeline

from tests.runtime.conftest import people
from tests.runtime.server.running import Server, request

ONE: dict[str, list[Any]] = {"experience": [3.0], "education": [12], "region": ["east"]}


def data(answer: httpx.Response, output: str = "wage") -> Any:
    assert answer.status_code == 200, answer.text
    return next(o["data"] for o in answer.json()["outputs"] if o["name"] == output)


def refusal(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error"}
    return str(answer.json()["error"])


def changed(name: str, **change: Any) -> dict[str, Any]:
    """A request for ONE with one input changed; None takes a key away."""
    asked = request(ONE)
    for item in asked["inputs"]:
        if item["name"] == name:
            item.update(change)
            for key in [key for key, value in change.items() if value is None]:
                del item[key]
    return asked


def post(server: Server, content: Any, path: str = "/v2/models/pay/infer") -> httpx.Response:
    return server.http.post(path, json=content)


def test_it_says_who_it_is_and_how_it_is(server: Server) -> None:
    for path in ("/v2", "/v2/"):
        told = httpx.get(f"http://127.0.0.1:{server.port}{path}")  # no key
        assert told.json().keys() == {"name", "version", "extensions"}
        assert told.json()["extensions"] == ["binary_tensor_data"]
    assert server.get("/v2/health/live").json() == {"live": True}
    assert server.get("/v2/health/ready").json() == {"live": True, "ready": True}
    assert server.get("/v2/models/pay/ready").json() == {"name": "pay", "ready": True}
    assert server.get("/v2/models/pay/versions/1/ready").status_code == 200


def test_a_model_describes_its_tensors(server: Server) -> None:
    told = server.get("/v2/models/pay").json()
    assert told["versions"] == ["1"]
    assert told["inputs"] == [
        {"name": "experience", "datatype": "FP64", "shape": [-1]},
        {"name": "education", "datatype": "INT64", "shape": [-1]},
        {"name": "region", "datatype": "BYTES", "shape": [-1]},
    ]
    assert told["outputs"] == [{"name": "wage", "datatype": "FP64", "shape": [-1]}]
    grade = server.get("/v2/models/grade/versions/1").json()
    assert [tensor["datatype"] for tensor in grade["outputs"]] == ["BYTES", "FP64"]
    assert json.loads(grade["properties"]["labels"]) == ["junior", "senior"]


def test_it_predicts_what_the_pipeline_does(server: Server, regressor: Pipeline) -> None:
    frame = people(40, seed=3)
    columns = {str(name): frame[name].tolist() for name in frame}
    columns["education"] = [int(value) for value in columns["education"]]
    answer = server.infer(columns)
    assert data(answer) == pytest.approx(regressor.predict(frame).tolist(), rel=1e-6)
    assert answer.json()["outputs"][0]["shape"] == [40]
    assert answer.json()["model_name"] == "pay"
    assert answer.json()["model_version"] == "1"


def test_a_classification_answers_labels_and_probabilities(
    server: Server, classifier: Pipeline
) -> None:
    frame = people(5, seed=4)
    columns = {str(name): frame[name].tolist() for name in frame}
    answer = server.infer(columns, model="grade")
    assert data(answer, "grade") == classifier.predict(frame).tolist()
    expected = classifier.predict_proba(frame).ravel().tolist()
    assert data(answer, "probabilities") == pytest.approx(expected, rel=1e-5)
    assert answer.json()["outputs"][1]["shape"] == [5, 2]


def test_the_id_comes_back_and_outputs_restrict(server: Server) -> None:
    asked = request(ONE, id="mine", outputs=[{"name": "probabilities"}])
    answer = post(server, asked, "/v2/models/grade/infer").json()
    assert answer["id"] == "mine"
    assert [output["name"] for output in answer["outputs"]] == ["probabilities"]


@pytest.mark.parametrize("shape", [[1], [1, 1]])
@pytest.mark.parametrize("datatype", ["FP64", "FP32", "FP16", "INT64", "INT8", "UINT16"])
def test_numbers_come_in_any_type_that_holds_them(
    server: Server, shape: list[int], datatype: str
) -> None:
    expected = data(server.infer(ONE))
    item = changed("experience", shape=shape, datatype=datatype, data=[3])
    assert data(post(server, item)) == expected


def test_columns_come_in_any_order_and_nested(server: Server) -> None:
    asked = request({name: ONE[name] * 2 for name in reversed(ONE)})
    asked["inputs"][2].update(shape=[2, 1], data=[[3.0], [3.0]])
    assert data(post(server, asked)) == data(server.infer(ONE)) * 2


REFUSED = {
    "a duplicate": ({"inputs": request(ONE)["inputs"] * 2}, "twice"),
    "an unknown column": (request({**ONE, "regoin": ["east"]}), "regoin"),
    "a missing column": (request({"experience": [3.0]}), "education"),
    "unequal columns": (request({**ONE, "region": ["east", "west"]}), "unequal|Make them equal"),
    "no inputs": ({"inputs": []}, "inputs"),
    "no object": ([], "object"),
    "a name that is no text": ({"inputs": [{"name": 7}]}, "name"),
    "null where nothing may lack": (changed("experience", data=[None]), "experience"),
    "a text in a column of numbers": (
        changed("experience", datatype="BYTES", data=["many"]),
        "experience/0",
    ),
    "a number where the type says text": (changed("region", data=[7]), "region/0"),
    "a fraction of an INT64": (changed("education", data=[1.5]), "education/0"),
    "a number beyond INT8": (changed("education", datatype="INT8", data=[300]), "INT8"),
    "a type that there is not": (changed("experience", datatype="FLOAT"), "FLOAT"),
    "a shape of a matrix": (changed("experience", shape=[1, 2]), "shape"),
    "a shape that lies": (changed("experience", shape=[2]), "shape"),
    "no shape": (changed("experience", shape=None), "shape"),
    "no data": (changed("experience", data=None), "no data"),
    "no rows": (request({name: [] for name in ONE}), "row"),
    "too many rows": (request({name: ONE[name] * 10_001 for name in ONE}), "10,000"),
    "an id that is no text": (request(ONE, id=7), "id"),
    "an unknown output": (request(ONE, outputs=[{"name": "wages"}]), "wages"),
    "an output twice": (request(ONE, outputs=[{"name": "wage"}] * 2), "twice"),
    "parameters that nest": (request(ONE, parameters={"a": {}}), "parameters"),
    "a flag that is none": (request(ONE, parameters={"binary_data_output": 1}), "binary_data"),
    "binary data that is not there": (
        changed("experience", data=None, parameters={"binary_data_size": 8}),
        "binary",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "_"))
def test_it_refuses_with_400_and_says_where(server: Server, case: str) -> None:
    content, told = REFUSED[case]
    said = refusal(post(server, content))
    assert any(word in said for word in told.split("|")), said


def test_null_is_taken_where_the_signature_says_so(server: Server) -> None:
    asked = {"years": [None, 4.0], "city": [None, "Bonn"], "member": [None, True]}
    answer = server.infer(asked, model="holes")
    assert answer.status_code == 200, answer.text
    assert len(data(answer, "score")) == 2


def test_values_out_of_the_known_are_warned_of(server: Server) -> None:
    answer = server.infer({**ONE, "experience": [77.0]}).json()
    (warning,) = json.loads(answer["parameters"]["warnings"])
    assert (warning["pointer"], warning["code"]) == ("experience/0", "outside_range")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/models/pay", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/v2/models/pay/versions/1/nothing", 404),
        ("GET", "/v2/models/none", 404),
        ("POST", "/v2/models/none/infer", 404),
        ("GET", "/v2/models/pay/versions/7", 404),
        ("GET", "/v2/models/pay/versions/x/ready", 404),
        ("POST", "/v2", 405),
        ("GET", "/v2/models/pay/infer", 405),
        ("DELETE", "/v2/models/pay", 405),
    ],
)
def test_unknown_addresses_and_methods_answer_in_the_protocol(
    server: Server, method: str, path: str, status: int
) -> None:
    answer = server.http.request(method, path)
    refusal(answer, status)
    assert ("allow" in answer.headers) == (status == 405)


def test_bodies_are_bounded_and_of_a_known_kind(server: Server) -> None:
    path, body = "/v2/models/pay/infer", json.dumps(request(ONE)).encode()
    refusal(server.http.post(path, content=b"{"), 400)
    refusal(server.http.post(path, content=b'{"inputs": [NaN]}'), 400)
    plain = server.http.post(path, content=body, headers={"Content-Type": "text/plain"})
    refusal(plain, 415)
    refusal(server.http.post(path, content=body, headers={"Content-Encoding": "br"}), 415)
    refusal(server.http.post(path, content=b" " * (16 * 1024**2 + 1)), 413)
    refusal(server.http.post(path, content=iter([b" " * 1024**2] * 17)), 413)
    bomb = gzip.compress(b" " * (17 * 1024**2))
    refusal(server.http.post(path, content=bomb, headers={"Content-Encoding": "gzip"}), 413)
    assert server.http.post(path, content=iter([body])).status_code == 200  # in chunks


def test_a_body_without_a_length_is_refused(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.putrequest("POST", "/v2/models/pay/infer")
    connection.putheader("Authorization", server.http.headers["Authorization"])
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 411
    assert json.loads(answer.read()).keys() == {"error"}


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_bodies_may_be_packed_both_ways(server: Server, encoding: str, pack: Any) -> None:
    body = pack(json.dumps(request({name: ONE[name] * 500 for name in ONE})).encode())
    headers = {"Content-Encoding": encoding, "Accept-Encoding": encoding}
    answer = server.http.post("/v2/models/pay/infer", content=body, headers=headers)
    assert len(data(answer)) == 500
    assert answer.headers["content-encoding"] == encoding
    cut = server.http.post("/v2/models/pay/infer", content=body[:-9], headers=headers)
    refusal(cut)


def test_only_a_key_that_may_predict_gets_an_answer(server: Server) -> None:
    bare = httpx.Client(base_url=server.http.base_url, trust_env=False)
    for headers in ({}, {"Authorization": "Bearer sk_wrong_wrong"}, {"Authorization": "Basic x"}):
        answer = bare.post("/v2/models/pay/infer", json=request(ONE), headers=headers)
        refusal(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        refusal(bare.get("/v2/models/pay", headers=headers), 401)
    assert bare.get("/v2/health/ready").status_code == 200
    assert bare.get("/metrics").status_code == 200
