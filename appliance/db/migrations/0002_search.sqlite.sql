ALTER TABLE "content" ADD COLUMN "attachment_names" TEXT NOT NULL DEFAULT '';

CREATE TABLE "search_document" ("id" INTEGER NOT NULL PRIMARY KEY,
    "item_id" INTEGER NOT NULL,
    "folder_id" INTEGER NOT NULL,
    "received_at" INTEGER NOT NULL,
    "has_attachments" INTEGER NOT NULL);

CREATE UNIQUE INDEX "search_document_item_id" ON "search_document" ("item_id");

CREATE TABLE "search_state" ("account_id" INTEGER NOT NULL PRIMARY KEY,
    "modseq" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE VIRTUAL TABLE "search_text" USING fts5(subject,
    sender,
    recipient,
    copied,
    attachment,
    body,
    content='',
    columnsize=0,
    tokenize='ascii');
