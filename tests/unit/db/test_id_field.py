import peewee

from appliance import db
from appliance.db.ddl import statements
from appliance.db.tables import IdField
from tests.fixtures.database import Place
from tests.fixtures.notes import run


class Ticket(peewee.Model):
    id = IdField()

    class Meta:
        database = db.proxy


class Stub(peewee.Model):
    ticket = peewee.ForeignKeyField(Ticket)

    class Meta:
        database = db.proxy


def test_the_number_of_a_deleted_row_does_not_come_back(database: Place):
    run(lambda: db.proxy.create_tables([Ticket, Stub]))
    first = run(lambda: Ticket.create().id)
    assert run(lambda: Ticket.delete().execute()) == 1
    database.reopen()
    second = run(lambda: Ticket.create().id)
    assert second > first
    assert run(lambda: Stub.create(ticket=second)).ticket_id == second


def test_is_a_wide_number_on_postgresql():
    ticket, stub, *_ = statements("postgresql", [Ticket, Stub])
    assert '"id" BIGSERIAL NOT NULL PRIMARY KEY' in ticket
    assert '"ticket_id" BIGINT NOT NULL' in stub
