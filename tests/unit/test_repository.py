"""What a newcomer reads at the root says what is so: commands exist, links lead somewhere, a release has its notes."""

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

from agent.record.price_file import load
from trial.offer import HOURS_OF_A_MONTH, hour

ROOT = Path(__file__).parents[2]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.*")]


def test_each_make_command_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (page.name, word)
        for page in PAGES
        for word in re.findall(r"(?:`|run: |sudo |^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert len(named) > 10
    assert {(page, word) for page, word in named if word not in targets} == set()


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_pictures_are_small_and_load_nothing_from_elsewhere():
    pictures = [path for path in (ROOT / "docs/pictures").iterdir() if path.suffix in {".png", ".svg"}]
    assert {path.name for path in pictures} == set(
        re.findall(r"docs/pictures/([\w.-]+)\)", (ROOT / "README.md").read_text())
    )
    assert all(path.stat().st_size < 200_000 for path in pictures)
    drawn = (ROOT / "docs/pictures/demo.svg").read_text()
    assert "make demo" in drawn
    assert re.findall(r"""href=["']?https?:|url\(["']?https?:|<script|/(?:work|root|home)/""", drawn) == []


def test_each_file_that_contributing_names_exists():
    words = re.findall(r"`([a-z_]+/[A-Za-z_./]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(words) > 10
    assert [word for word in words if not (ROOT / word).exists()] == []


def test_each_package_says_that_it_has_types():
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []
    assert [path.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in PACKAGES] == []


WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("docs/ci/*.yml")])


@pytest.mark.parametrize("file", WORKFLOWS, ids=str)
def test_actions_are_pinned_by_commit_and_keep_no_token(file):
    workflow = file.read_text()
    used = re.findall(r"uses: (.*)", workflow)
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action) for action in used)
    assert workflow.count("persist-credentials: false") == sum("checkout" in action for action in used)


@pytest.mark.parametrize("file", sorted([*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"]), ids=str)
def test_files_for_other_programs_are_valid_yaml(file):
    assert yaml.safe_load(file.read_text())


def refused(schema, file):
    """What GitHub's own schema, which comes with the program, has against a file; empty where it fits."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", f"vendor.github-{schema}", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


@pytest.mark.process
@pytest.mark.parametrize("workflow", WORKFLOWS, ids=str)
def test_a_workflow_fits_githubs_own_schema(workflow):
    assert refused("workflows", workflow) == ""


@pytest.mark.process
def test_a_workflow_with_a_wrong_key_does_not_fit(tmp_path):
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    (tmp_path / "ci.yml").write_text(text.replace("timeout-minutes", "time-out", 1))
    assert "time-out" in refused("workflows", tmp_path / "ci.yml")


FORMS = {
    path: "issue-config" if path.name == "config.yml" else "issue-forms"
    for path in sorted(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml"))
}


@pytest.mark.process
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_for_issues_fits_githubs_own_schema(form):
    assert refused(FORMS[form], form) == ""


@pytest.mark.process
def test_a_form_whose_field_asks_for_nothing_does_not_fit(tmp_path):
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/wish.yml").read_text())
    del form["body"][0]["attributes"]["label"]
    (tmp_path / "wish.yml").write_text(yaml.safe_dump(form))
    assert refused("issue-forms", tmp_path / "wish.yml")


def test_each_hook_before_a_commit_is_a_tool_of_the_environment():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {hook["id"] for hook in repo["hooks"]} == {"ruff", "ruff-format", "mypy"}
    for hook in repo["hooks"]:
        assert (ROOT / hook["entry"].split()[0]).exists()


@pytest.fixture
def clone(tmp_path):
    """A repository of its own with what a release is made of."""
    for name in (".ci/dist", "pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", "-C", tmp_path]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    return tmp_path


def dist(clone, *arguments):
    return subprocess.run(["sh", clone / ".ci/dist", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.process
def test_a_release_is_the_tree_its_checksum_and_its_notes(clone):
    version = tomllib.loads((clone / "pyproject.toml").read_text())["project"]["version"]
    made = dist(clone, f"v{version}")
    assert made.returncode == 0, made.stderr
    with tarfile.open(clone / f"dist/jada-{version}.tar.gz") as tar:
        assert f"jada-{version}/CHANGELOG.md" in tar.getnames()
    assert (clone / "dist/NOTES.md").read_text().strip()
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=clone / "dist", check=False).returncode == 0


@pytest.mark.process
def test_without_a_repository_nothing_is_published(clone):
    (clone / ".git").rename(clone / "elsewhere")
    refused = dist(clone)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "run this in a clone, as its owner" in refused.stderr
    assert not (clone / "dist").exists()


@pytest.mark.process
def test_a_tree_that_can_not_be_read_whole_is_not_published(clone):
    asked = ["git", "-C", clone, "rev-parse", "HEAD:CHANGELOG.md"]
    blob = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (clone / ".git/objects" / blob[:2] / blob[2:]).unlink()
    refused = dist(clone)
    assert refused.returncode
    assert refused.stdout == ""
    assert not (clone / "dist").exists()


@pytest.mark.process
def test_a_tag_of_another_version_is_refused(clone):
    refused = dist(clone, "v9.9.9")
    assert refused.returncode == 1
    assert "the tag is v9.9.9" in refused.stderr
    assert not (clone / "dist").exists()


@pytest.mark.process
def test_a_version_without_notes_is_refused(clone):
    (clone / "CHANGELOG.md").write_text("# Changelog\n\n## 0.0.9\n- nothing\n")
    assert 'has no section "## ' in dist(clone).stderr


def task_price(model, turns=15, first=4000, answer=400, result=1100):
    """What a task costs when each turn reads the prompt before from the cache, and writes to it what is new."""
    prices = load(None, model)
    kept, spent = 0, 0
    for turn in range(turns):
        new = answer + result if turn else first
        cached = {"cache_read_input_tokens": kept, "cache_creation_input_tokens": new}
        spent += prices.cost(model, {"input_tokens": 0, "output_tokens": answer, **cached})
        kept += new
    return spent / 1e6


@pytest.mark.parametrize(("name", "digits"), [("Haiku", 3), ("Sonnet", 2), ("Opus", 2)])
def test_what_the_readme_says_a_task_costs_is_what_the_price_list_makes_it(name, digits):
    figure = f"{task_price(f'claude-{name.lower()}-5-5'):.{digits}f}"
    (row,) = [line for line in (ROOT / "README.md").read_text().splitlines() if f"{name} 5.5" in line]
    assert f"| ${figure} |" in row


def test_what_the_readme_says_a_month_costs_is_box_and_tasks():
    box = hour("micro_3_0") * HOURS_OF_A_MONTH
    text = (ROOT / "README.md").read_text()
    assert f"| ${box:.0f} |" in text
    assert f"| **${box + 100 * task_price('claude-sonnet-5-5'):.0f}** |" in text
