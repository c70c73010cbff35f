"""Rows of made-up corpora."""


def row(id="a1", text="The kettle is on and nobody is home.", kind="comment", group=None, feelings=None, **more):
    return {"id": id, "text": text, "kind": kind, "group": group or id, "feelings": feelings or {}, **more}
