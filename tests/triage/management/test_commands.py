import json

import pytest
from django.core.management import CommandError, call_command

from tests.factories import make_order, make_shop


def test_decisions_are_written_as_lines(db, tmp_path, capsys):
    order = make_order(make_shop("a"), lane="regular")
    make_order(make_shop("b"), lane="abnormal")
    path = tmp_path / "decisions.ndjson"
    call_command("export_decisions", str(path), "--shop", "a")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"external_no": order.external_no, "lane": "regular", "urgent": False, "findings": []}
    ]
    assert "1 orders written" in capsys.readouterr().out


def test_a_shop_that_does_not_exist_writes_nothing(db, tmp_path):
    path = tmp_path / "decisions.ndjson"
    with pytest.raises(CommandError, match="no shop has the code nowhere"):
        call_command("export_decisions", str(path), "--shop", "nowhere")
    assert not path.exists()


def test_decisions_are_held_against_labels(tmp_path, capsys):
    labels, decisions, out = (tmp_path / name for name in ("labels", "decisions", "report.md"))
    labels.write_text('{"external_no": "1", "lane": "regular", "urgent": false}\n')
    decisions.write_text('{"external_no": "1", "lane": "regular", "urgent": false, "findings": []}\n')
    call_command("judge_triage", "--labels", str(labels), "--decisions", str(decisions), "--markdown", str(out))
    assert "| in the right lane | 100.00 % |" in out.read_text()
    assert "| in the right lane | 100.00 % |" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["nonsense\n", '{"lane": ""}\n'])
def test_a_bad_file_is_named(tmp_path, content):
    path = tmp_path / "labels"
    path.write_text(content)
    with pytest.raises(CommandError, match="labels"):
        call_command("judge_triage", "--labels", str(path), "--decisions", str(path))
    with pytest.raises(CommandError, match="cannot read"):
        call_command("judge_triage", "--labels", str(tmp_path / "none"), "--decisions", str(path))
