"""The migration's own program: LiteLLM's real code and a real PostgreSQL. Only Prisma's command line, whose engine is a
download, is stood in for by psql; it is given what LiteLLM and we would give to Prisma."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from stacks.constructs.migration import program_of_migration
from tests.support.litellm_proxy import proxy_python
from tests.support.servers import new_database, program

ADMINISTRATOR, PASSWORD = "administrator", "canary-pass/word"
PRISMA = """#!/bin/sh
address="${DATABASE_URL%%\\?*}"
case "$1 $2" in
  "--version ") exit 0 ;;
  "migrate deploy") cat migrations/*/migration.sql | PSQL --quiet --set ON_ERROR_STOP=1 "$address" >/dev/null ;;
  "db execute") test "$3 $4" = "--stdin --schema" && test -f "$5" && PSQL --quiet --set ON_ERROR_STOP=1 "$address" ;;
  *) echo "this stand-in does not know $*" >&2; exit 9 ;;
esac
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A PostgreSQL with an empty database, which belongs to an administrator who is no superuser, as at RDS."""
    nothing = tmp_path_factory.mktemp("nothing")
    (nothing / "first").mkdir()
    (nothing / "first" / "migration.sql").write_text("SELECT 1;")
    url = urlsplit(new_database(nothing))
    place = SimpleNamespace(host=url.hostname, port=url.port, owner=url.username, database=url.path[1:])
    sql(place, f"CREATE ROLE {ADMINISTRATOR} LOGIN CREATEROLE PASSWORD '{PASSWORD}'; CREATE ROLE rds_iam")
    sql(place, f"CREATE DATABASE migrated OWNER {ADMINISTRATOR}")
    place.database = "migrated"
    return place


@pytest.fixture(scope="module")
def migrated(server, tmp_path_factory):
    """The first migration."""
    return migrate(server, tmp_path_factory.mktemp("first"))


def sql(place, text, *, user=None, database=None):
    command = [program("psql"), "-h", place.host, "-p", str(place.port), "-U", user or place.owner]
    command += ["-d", database or place.database, "-v", "ON_ERROR_STOP=1", "-Atq", "-c", text]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def migrate(place, folder: Path, **variables):
    prisma = folder / "bin" / "prisma"
    prisma.parent.mkdir(exist_ok=True)
    prisma.write_text(PRISMA.replace("PSQL", program("psql")))
    prisma.chmod(0o755)
    environment = {
        "PATH": f"{prisma.parent}:{os.environ['PATH']}",
        "TMPDIR": str(folder),
        "DATABASE_HOST": f"{place.host}:{place.port}",
        "DATABASE_NAME": place.database,
        "DATABASE_USERNAME": ADMINISTRATOR,
        "DATABASE_PASSWORD": PASSWORD,
        "GATEWAY_ROLE": "gateway",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        **variables,
    }
    command = [str(proxy_python()), "-c", program_of_migration()]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_migrations_make_the_tables_and_say_no_password(server, migrated):
    assert migrated.returncode == 0, migrated.stderr
    assert migrated.stdout.endswith("migrated\n")
    assert int(sql(server, "SELECT count(*) FROM pg_tables WHERE tableowner = 'administrator'").stdout) > 50
    assert PASSWORD not in migrated.stdout + migrated.stderr
    assert "canary" not in migrated.stdout + migrated.stderr


def test_the_servers_role_signs_in_by_token_only_and_reads_and_writes_every_table(server, migrated):
    assert sql(server, "SELECT pg_has_role('gateway', 'rds_iam', 'MEMBER')").stdout == "t\n"
    # A member of that role signs in by token alone: the administrator must not become one.
    assert sql(server, f"SELECT pg_has_role('{ADMINISTRATOR}', 'rds_iam', 'MEMBER')").stdout == "f\n"
    closed = sql(
        server,
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_prisma_migrations' AND NOT "
        "has_table_privilege('gateway', format('public.%I', tablename), 'SELECT, INSERT, UPDATE, DELETE')",
    )
    assert closed.stdout == ""
    made = sql(server, """INSERT INTO "LiteLLM_BudgetTable" (budget_id, created_by, updated_by)
                          VALUES ('b', 'x', 'x') RETURNING budget_id""", user="gateway")  # fmt: skip
    assert made.stdout == "b\n", made.stderr
    view = sql(
        server, 'CREATE VIEW own AS SELECT * FROM "LiteLLM_BudgetTable"; SELECT count(*) FROM own', user="gateway"
    )
    assert view.stdout == "1\n", view.stderr


@pytest.mark.parametrize(
    "change",
    [
        'ALTER TABLE "LiteLLM_BudgetTable" ADD COLUMN more text',
        'DROP TABLE "LiteLLM_BudgetTable"',
        'TRUNCATE "LiteLLM_BudgetTable"',
        "CREATE ROLE other",
    ],
)
def test_the_servers_role_changes_no_table(server, migrated, change):
    refused = sql(server, change, user="gateway")

    assert refused.returncode != 0
    assert "must be owner" in refused.stderr or "permission denied" in refused.stderr


def test_a_migration_that_fails_ends_with_a_code_that_stops_the_deployment(server, tmp_path):
    """Nobody of that name may sign in."""
    done = migrate(server, tmp_path, DATABASE_NAME="postgres", DATABASE_USERNAME="nobody_there")

    assert done.returncode not in (0, None)
    assert "migrated" not in done.stdout


def test_an_image_without_prisma_is_no_migration(server, tmp_path):
    done = migrate(server, tmp_path, PATH="/nowhere")

    assert done.returncode == 4
    assert "this image has no Prisma" in done.stderr


def test_a_name_that_is_no_role_goes_into_no_statement(server, tmp_path):
    done = migrate(server, tmp_path, GATEWAY_ROLE="gateway; DROP TABLE x")

    assert done.returncode == 4
    assert "GATEWAY_ROLE is no name of a role" in done.stderr
