ALTER TABLE "queue_entry" ADD COLUMN "priority" INTEGER NOT NULL DEFAULT 0;

ALTER TABLE "queue_entry" ADD COLUMN "ret" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "envid" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "notify" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "orcpt" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "requires_tls" INTEGER NOT NULL DEFAULT FALSE;

ALTER TABLE "queue_entry" ADD COLUMN "next_hop" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "uid" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "is_delay_told" INTEGER NOT NULL DEFAULT FALSE;

UPDATE "queue_entry" SET "uid" = lower(hex(randomblob(8)));

CREATE INDEX "queue_entry_state_priority_next_attempt_at_domain" ON "queue_entry" ("state",
    "priority",
    "next_attempt_at",
    "domain");

CREATE TABLE "queue_attempt" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "entry_id" INTEGER NOT NULL,
    "at" INTEGER NOT NULL,
    "host" TEXT NOT NULL,
    "reply" TEXT NOT NULL,
    FOREIGN KEY ("entry_id") REFERENCES "queue_entry" ("id") ON DELETE CASCADE);

CREATE INDEX "queue_attempt_entry_id" ON "queue_attempt" ("entry_id");
