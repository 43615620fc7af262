ALTER TABLE "queue_entry" ADD COLUMN "priority" SMALLINT NOT NULL DEFAULT 0;

ALTER TABLE "queue_entry" ADD COLUMN "ret" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "envid" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "notify" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "orcpt" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "requires_tls" BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE "queue_entry" ADD COLUMN "next_hop" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "uid" TEXT NOT NULL DEFAULT '';

ALTER TABLE "queue_entry" ADD COLUMN "is_delay_told" BOOLEAN NOT NULL DEFAULT FALSE;

UPDATE "queue_entry" SET "uid" = substr(replace(gen_random_uuid()::text, '-', ''), 1, 16);

CREATE INDEX "queue_entry_state_priority_next_attempt_at_domain" ON "queue_entry" ("state",
    "priority",
    "next_attempt_at",
    "domain");

CREATE TABLE "queue_attempt" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "entry_id" BIGINT NOT NULL,
    "at" BIGINT NOT NULL,
    "host" TEXT NOT NULL,
    "reply" TEXT NOT NULL,
    FOREIGN KEY ("entry_id") REFERENCES "queue_entry" ("id") ON DELETE CASCADE);

CREATE INDEX "queue_attempt_entry_id" ON "queue_attempt" ("entry_id");
