CREATE TABLE "account_certificate" ("account_id" BIGINT NOT NULL,
    "fingerprint" BYTEA NOT NULL,
    "data" BYTEA NOT NULL,
    "valid_from" BIGINT NOT NULL,
    "expires_at" BIGINT NOT NULL,
    PRIMARY KEY ("account_id",
    "fingerprint"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "account_picture" ("account_id" BIGINT NOT NULL PRIMARY KEY,
    "content_type" TEXT NOT NULL,
    "data" BYTEA NOT NULL,
    "changed_at" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "correspondent" ("account_id" BIGINT NOT NULL,
    "address" TEXT NOT NULL,
    PRIMARY KEY ("account_id",
    "address"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "correspondent_cursor" ("account_id" BIGINT NOT NULL PRIMARY KEY,
    "modseq" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "out_of_office" ("account_id" BIGINT NOT NULL PRIMARY KEY,
    "state" SMALLINT NOT NULL,
    "starts_at" BIGINT,
    "ends_at" BIGINT,
    "replies" TEXT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "out_of_office_reply" ("account_id" BIGINT NOT NULL,
    "sender" TEXT NOT NULL,
    "replied_at" BIGINT NOT NULL,
    PRIMARY KEY ("account_id",
    "sender"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

