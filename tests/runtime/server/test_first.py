def test_it(server):
    print(server.get("/v2").text, server.get("/v2/models/pay").text)
    r=server.infer({"experience":[3.0],"education":[12],"region":["east"]})
    print(r.status_code, r.text)
    r=server.infer({"experience":[3.0],"education":[12],"region":["east"]}, model="grade")
    print(r.status_code, r.text)
    print(server.get("/metrics").text)
    print(server.log.read_text())
