CREATE TABLE "account_certificate" ("account_id" INTEGER NOT NULL,
    "fingerprint" BLOB NOT NULL,
    "data" BLOB NOT NULL,
    "valid_from" INTEGER NOT NULL,
    "expires_at" INTEGER NOT NULL,
    PRIMARY KEY ("account_id",
    "fingerprint"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "account_picture" ("account_id" INTEGER NOT NULL PRIMARY KEY,
    "content_type" TEXT NOT NULL,
    "data" BLOB NOT NULL,
    "changed_at" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "correspondent" ("account_id" INTEGER NOT NULL,
    "address" TEXT NOT NULL,
    PRIMARY KEY ("account_id",
    "address"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "correspondent_cursor" ("account_id" INTEGER NOT NULL PRIMARY KEY,
    "modseq" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "out_of_office" ("account_id" INTEGER NOT NULL PRIMARY KEY,
    "state" INTEGER NOT NULL,
    "starts_at" INTEGER,
    "ends_at" INTEGER,
    "replies" TEXT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "out_of_office_reply" ("account_id" INTEGER NOT NULL,
    "sender" TEXT NOT NULL,
    "replied_at" INTEGER NOT NULL,
    PRIMARY KEY ("account_id",
    "sender"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

