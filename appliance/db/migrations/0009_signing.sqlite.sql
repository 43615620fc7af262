CREATE TABLE "dkim_key" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "domain_id" INTEGER NOT NULL,
    "selector" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "sealed_key" BLOB NOT NULL,
    "record" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL,
    "changed_at" INTEGER NOT NULL, FOREIGN KEY ("domain_id") REFERENCES "domain" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "dkim_key_domain_id_selector" ON "dkim_key" ("domain_id",
    "selector");

CREATE TABLE "dmarc_report" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "domain_id" INTEGER NOT NULL,
    "organisation" TEXT NOT NULL,
    "report_id" TEXT NOT NULL,
    "begins_at" INTEGER NOT NULL,
    "ends_at" INTEGER NOT NULL,
    "passed" INTEGER NOT NULL,
    "failed" INTEGER NOT NULL,
    "sources" TEXT NOT NULL,
    "received_at" INTEGER NOT NULL, FOREIGN KEY ("domain_id") REFERENCES "domain" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "dmarc_report_domain_id_organisation_report_id" ON "dmarc_report" ("domain_id",
    "organisation",
    "report_id");

CREATE INDEX "dmarc_report_domain_id_ends_at" ON "dmarc_report" ("domain_id",
    "ends_at");

CREATE TABLE "tls_report" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "domain_id" INTEGER NOT NULL,
    "organisation" TEXT NOT NULL,
    "report_id" TEXT NOT NULL,
    "begins_at" INTEGER NOT NULL,
    "ends_at" INTEGER NOT NULL,
    "passed" INTEGER NOT NULL,
    "failed" INTEGER NOT NULL,
    "failures" TEXT NOT NULL,
    "received_at" INTEGER NOT NULL, FOREIGN KEY ("domain_id") REFERENCES "domain" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "tls_report_domain_id_organisation_report_id" ON "tls_report" ("domain_id",
    "organisation",
    "report_id");

CREATE INDEX "tls_report_domain_id_ends_at" ON "tls_report" ("domain_id",
    "ends_at");
