CREATE TABLE "dkim_key" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "domain_id" BIGINT NOT NULL,
    "selector" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "sealed_key" BYTEA NOT NULL,
    "record" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "changed_at" BIGINT NOT NULL, FOREIGN KEY ("domain_id") REFERENCES "domain" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "dkim_key_domain_id_selector" ON "dkim_key" ("domain_id",
    "selector");

CREATE TABLE "dmarc_report" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "domain_id" BIGINT NOT NULL,
    "organisation" TEXT NOT NULL,
    "report_id" TEXT NOT NULL,
    "begins_at" BIGINT NOT NULL,
    "ends_at" BIGINT NOT NULL,
    "passed" BIGINT NOT NULL,
    "failed" BIGINT NOT NULL,
    "sources" TEXT NOT NULL,
    "received_at" BIGINT NOT NULL, FOREIGN KEY ("domain_id") REFERENCES "domain" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "dmarc_report_domain_id_organisation_report_id" ON "dmarc_report" ("domain_id",
    "organisation",
    "report_id");

CREATE INDEX "dmarc_report_domain_id_ends_at" ON "dmarc_report" ("domain_id",
    "ends_at");

CREATE TABLE "tls_report" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "domain_id" BIGINT NOT NULL,
    "organisation" TEXT NOT NULL,
    "report_id" TEXT NOT NULL,
    "begins_at" BIGINT NOT NULL,
    "ends_at" BIGINT NOT NULL,
    "passed" BIGINT NOT NULL,
    "failed" BIGINT NOT NULL,
    "failures" TEXT NOT NULL,
    "received_at" BIGINT NOT NULL, FOREIGN KEY ("domain_id") REFERENCES "domain" ("id") ON DELETE CASCADE);

CREATE UNIQUE INDEX "tls_report_domain_id_organisation_report_id" ON "tls_report" ("domain_id",
    "organisation",
    "report_id");

CREATE INDEX "tls_report_domain_id_ends_at" ON "tls_report" ("domain_id",
    "ends_at");
