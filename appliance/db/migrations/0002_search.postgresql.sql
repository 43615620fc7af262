ALTER TABLE "content" ADD COLUMN "attachment_names" TEXT NOT NULL DEFAULT '';

CREATE TABLE "search_document" ("id" BIGINT NOT NULL PRIMARY KEY,
    "item_id" BIGINT NOT NULL,
    "folder_id" BIGINT NOT NULL,
    "received_at" BIGINT NOT NULL,
    "has_attachments" BOOLEAN NOT NULL);

CREATE UNIQUE INDEX "search_document_item_id" ON "search_document" ("item_id");

CREATE TABLE "search_state" ("account_id" BIGINT NOT NULL PRIMARY KEY,
    "modseq" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "search_text" ("id" BIGINT NOT NULL PRIMARY KEY,
    "vector" TSVECTOR NOT NULL);

ALTER TABLE "search_text" ALTER COLUMN "vector" SET STORAGE MAIN;

CREATE INDEX "search_text_vector" ON "search_text" USING GIN ("vector");
