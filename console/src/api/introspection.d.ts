/** Made by build/console-types.ts from the schema that is served. */
export type introspection = {
  __schema: {
    queryType: { name: "Query" };
    mutationType: { name: "Mutation" };
    subscriptionType: { name: "Subscription" };
    directives: [];
    types: [
      {
        kind: "ENUM";
        name: "Action";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [
          { name: "MANAGE_CONTENT" },
          { name: "MANAGE_KEYS" },
          { name: "MANAGE_MEMBERS" },
          { name: "MANAGE_ORGANIZATION" },
          { name: "MANAGE_OWNERS" },
          { name: "MANAGE_PLACEMENTS" },
          { name: "READ" },
          { name: "READ_AUDIT_LOG" },
          { name: "READ_JOBS" },
          { name: "WRITE_CONTENT" },
        ];
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ActionPlan";
        fields: [
          {
            name: "confirm";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "obstacles";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          {
            name: "sentences";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          {
            name: "what";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "AddOrganizationMemberInput";
        fields: null;
        inputFields: [
          {
            name: "organizationId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "role"; type: { kind: "ENUM"; name: "Role"; ofType: null }; defaultValue: "MEMBER" },
          {
            name: "userId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ApiKey";
        fields: [
          {
            name: "createdAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "createdBy";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "expiresAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          { name: "lastUsedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "organization"; args: []; type: { kind: "OBJECT"; name: "Organization"; ofType: null } },
          {
            name: "readOnly";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "revokedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          { name: "role"; args: []; type: { kind: "ENUM"; name: "Role"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ApiKeyConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "ApiKeyEdge"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ApiKeyEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ApiKey"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Attention";
        fields: [
          { name: "command"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "jobId"; args: []; type: { kind: "SCALAR"; name: "ID"; ofType: null } },
          { name: "organizationId"; args: []; type: { kind: "SCALAR"; name: "ID"; ofType: null } },
          { name: "placementId"; args: []; type: { kind: "SCALAR"; name: "ID"; ofType: null } },
          { name: "region"; args: []; type: { kind: "OBJECT"; name: "Region"; ofType: null } },
          {
            name: "sentence";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "severity";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Severity"; kind: "ENUM"; ofType: null } };
          },
          { name: "since"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "AuditActor";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [{ name: "KEY" }, { name: "OPERATOR" }, { name: "USER" }];
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "AuditEntry";
        fields: [
          {
            name: "action";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "address"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "at";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          { name: "organizationId"; args: []; type: { kind: "SCALAR"; name: "ID"; ofType: null } },
          {
            name: "outcome";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "placementId"; args: []; type: { kind: "SCALAR"; name: "ID"; ofType: null } },
          { name: "regionKey"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "subjectId"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "subjectKind"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "userAgent"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "via";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "AuditVia"; kind: "ENUM"; ofType: null } };
          },
          {
            name: "who";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "AuditActor"; kind: "ENUM"; ofType: null } };
          },
          { name: "whoId"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "AuditLogConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "AuditLogEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "missingRegions";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "AuditLogEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "AuditEntry"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "AuditVia";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [
          { name: "COMMAND_LINE" },
          { name: "DEVELOPMENT" },
          { name: "JOB" },
          { name: "KEY" },
          { name: "LIBRARY" },
          { name: "TOKEN" },
        ];
        possibleTypes: null;
      },
      {
        kind: "SCALAR";
        name: "Boolean";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Border";
        fields: [
          {
            name: "crossed";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "BorderCrossingConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "days";
            args: [
              { name: "days"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: "30" },
              { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "BorderDay"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "mayCross";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "BorderFlow"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "newerDatabases";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "refused";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "BorderRefusalConnection"; kind: "OBJECT"; ofType: null };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderCrossing";
        fields: [
          {
            name: "bytes";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "database";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "day";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "direction";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "firstAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "lastAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "regionKey";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "rows";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "table";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "way";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderCrossingConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "BorderCrossingEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderCrossingEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "BorderCrossing"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderDay";
        fields: [
          {
            name: "bytes";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "day";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "direction";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "regionKey";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "rows";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderFlow";
        fields: [
          {
            name: "changes";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          {
            name: "columns";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          {
            name: "databases";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "direction";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "filter";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "from";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "into";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "schemaVersions";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderRefusal";
        fields: [
          { name: "address"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "attempts";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "code";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "database"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "direction"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "firstAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "lastAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "sentence";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "user"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderRefusalConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "BorderRefusalEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "BorderRefusalEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "BorderRefusal"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Comment";
        fields: [
          { name: "author"; args: []; type: { kind: "OBJECT"; name: "User"; ofType: null } },
          {
            name: "body";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "createdAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "resource";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Resource"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "updatedAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [{ kind: "INTERFACE"; name: "Node"; ofType: null }];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "CommentConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "LIST";
              name: null;
              ofType: { name: null; kind: "NON_NULL"; ofType: { name: "CommentEdge"; kind: "OBJECT"; ofType: null } };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "CommentEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Comment"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Coordinates";
        fields: [
          {
            name: "latitude";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "longitude";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "CoordinatesInput";
        fields: null;
        inputFields: [
          {
            name: "latitude";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "longitude";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "CreateApiKeyInput";
        fields: null;
        inputFields: [
          { name: "expiresInDays"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: "90" },
          {
            name: "name";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "organizationId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
          { name: "readOnly"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: "false" },
          { name: "role"; type: { kind: "ENUM"; name: "Role"; ofType: null }; defaultValue: null },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "CreateCommentInput";
        fields: null;
        inputFields: [
          { name: "authorId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
          {
            name: "body";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "resourceId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "CreateOrganizationInput";
        fields: null;
        inputFields: [
          {
            name: "name";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "CreateResourceInput";
        fields: null;
        inputFields: [
          {
            name: "name";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "organizationId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
          { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "CreateUserInput";
        fields: null;
        inputFields: [
          {
            name: "email";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "name";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "CreatedApiKey";
        fields: [
          {
            name: "key";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ApiKey"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "secret";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "SCALAR";
        name: "DateTime";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "DeleteCommentInput";
        fields: null;
        inputFields: [
          {
            name: "commentId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "DeleteOrganizationInput";
        fields: null;
        inputFields: [
          {
            name: "confirm";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "organizationId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "DeleteResourceInput";
        fields: null;
        inputFields: [
          {
            name: "resourceId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Erasure";
        fields: [
          {
            name: "complete";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "pending";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "user";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "User"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Fleet";
        fields: [
          {
            name: "databases";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "behind"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: null },
              { name: "failed"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "FleetDatabaseConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "drift";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "FleetDriftConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          { name: "run"; args: []; type: { kind: "OBJECT"; name: "FleetRun"; ofType: null } },
          {
            name: "target";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "versions";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "FleetVersion"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetDatabase";
        fields: [
          {
            name: "database";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "failedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          { name: "failure"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "migratedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          { name: "migratingTo"; args: []; type: { kind: "SCALAR"; name: "Int"; ofType: null } },
          { name: "region"; args: []; type: { kind: "OBJECT"; name: "Region"; ofType: null } },
          { name: "version"; args: []; type: { kind: "SCALAR"; name: "Int"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetDatabaseConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "FleetDatabaseEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetDatabaseEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "FleetDatabase"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetDrift";
        fields: [
          {
            name: "database";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "differences";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          { name: "region"; args: []; type: { kind: "OBJECT"; name: "Region"; ofType: null } },
          {
            name: "version";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetDriftConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "FleetDriftEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetDriftEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "FleetDrift"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetRun";
        fields: [
          { name: "canaries"; args: []; type: { kind: "SCALAR"; name: "Int"; ofType: null } },
          {
            name: "failed";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "job";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Job"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "left";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "migrated";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "waves";
            args: [];
            type: {
              kind: "LIST";
              name: null;
              ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "FleetVersion";
        fields: [
          {
            name: "databases";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "isTarget";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "version"; args: []; type: { kind: "SCALAR"; name: "Int"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "SCALAR";
        name: "Float";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "GrantRegionAccessInput";
        fields: null;
        inputFields: [
          { name: "isolation"; type: { kind: "ENUM"; name: "Isolation"; ofType: null }; defaultValue: "DEDICATED" },
          {
            name: "organizationId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "regionKey";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "SCALAR";
        name: "ID";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "SCALAR";
        name: "Int";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Invitation";
        fields: [
          {
            name: "createdAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "email";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "expiresAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "organization";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "role";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Role"; kind: "ENUM"; ofType: null } };
          },
          { name: "token"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "InvitationConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "InvitationEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "InvitationEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Invitation"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "InviteMemberInput";
        fields: null;
        inputFields: [
          {
            name: "email";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "expiresInDays"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: "7" },
          {
            name: "organizationId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "role"; type: { kind: "ENUM"; name: "Role"; ofType: null }; defaultValue: "MEMBER" },
          { name: "sendMail"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: "true" },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "Isolation";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [{ name: "DEDICATED" }, { name: "SHARED" }];
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Job";
        fields: [
          {
            name: "attempts";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "dueAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          { name: "finishedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "isFailing";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "isRetriable";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "kind";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "lastError"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "organizationId"; args: []; type: { kind: "SCALAR"; name: "ID"; ofType: null } },
          { name: "placementId"; args: []; type: { kind: "SCALAR"; name: "ID"; ofType: null } },
          { name: "region"; args: []; type: { kind: "OBJECT"; name: "Region"; ofType: null } },
          {
            name: "requestedAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "requestedBy";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "result"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "startedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "state";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "JobState"; kind: "ENUM"; ofType: null } };
          },
          { name: "step"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "steps";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "JobStep"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "subject";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "JobConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "JobEdge"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "JobCounts";
        fields: [
          {
            name: "failing";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "running";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "waiting";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "JobEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Job"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "JobKind";
        fields: [
          {
            name: "isRetriable";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "steps";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "JobState";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [
          { name: "CANCELLED" },
          { name: "DONE" },
          { name: "FAILED" },
          { name: "RUNNING" },
          { name: "WAITING" },
        ];
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "JobStep";
        fields: [
          {
            name: "attempts";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          { name: "failure"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "finishedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "startedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Link";
        fields: [
          { name: "carriedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          { name: "checkedAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "database";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "direction";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "failure"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "failures";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          { name: "lagBytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          {
            name: "lagSeconds";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "placements";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          { name: "problem"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "region"; args: []; type: { kind: "OBJECT"; name: "Region"; ofType: null } },
          { name: "seededAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "seeds";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "state";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "LinkState"; kind: "ENUM"; ofType: null } };
          },
          { name: "waitingSince"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "wakes";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          { name: "walBytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "LinkConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "LinkEdge"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "LinkCounts";
        fields: [
          {
            name: "awake";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "broken";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "late";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "parked";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "worstLagSeconds";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Float"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "LinkEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Link"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "LinkIdentityInput";
        fields: null;
        inputFields: [
          {
            name: "issuer";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "subject";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "userId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "LinkState";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [{ name: "AWAKE" }, { name: "BROKEN" }, { name: "LATE" }, { name: "PARKED" }];
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Membership";
        fields: [
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "joinedAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "organization";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "role";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Role"; kind: "ENUM"; ofType: null } };
          },
          {
            name: "user";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "User"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [{ kind: "INTERFACE"; name: "Node"; ofType: null }];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Mutation";
        fields: [
          {
            name: "acceptInvitation";
            args: [
              {
                name: "token";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Membership"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "addOrganizationMember";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "AddOrganizationMemberInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Membership"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "createApiKey";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "CreateApiKeyInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "CreatedApiKey"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "createComment";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "CreateCommentInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Comment"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "createOrganization";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "CreateOrganizationInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "createResource";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "CreateResourceInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Resource"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "createUser";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "CreateUserInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "User"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "deleteComment";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "DeleteCommentInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "deleteOrganization";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "DeleteOrganizationInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "deleteResource";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "DeleteResourceInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "eraseUser";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Erasure"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "grantRegionAccess";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "GrantRegionAccessInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "inviteMember";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "InviteMemberInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Invitation"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "leaveOrganization";
            args: [
              {
                name: "organizationId";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "linkIdentity";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "LinkIdentityInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "User"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "registerRegion";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "RegisterRegionInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Region"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "removeOrganizationMember";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "RemoveOrganizationMemberInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "renameOrganization";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "RenameOrganizationInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "resumeRegionAccess";
            args: [
              {
                name: "placementId";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "retireRegion";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "RetireRegionInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Region"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "retryJobs";
            args: [
              {
                name: "ids";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: {
                    name: null;
                    kind: "LIST";
                    ofType: { name: null; kind: "NON_NULL"; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                  };
                };
                defaultValue: null;
              },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "RetriedJob"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "retryPlacement";
            args: [
              {
                name: "placementId";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "revokeApiKey";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ApiKey"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "revokeInvitation";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Invitation"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "revokeRegionAccess";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "RevokeRegionAccessInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "transferOwnership";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "TransferOwnershipInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Membership"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "updateComment";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "UpdateCommentInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Comment"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "updateRegion";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "UpdateRegionInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Region"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "updateResource";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "UpdateResourceInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Resource"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "updateUser";
            args: [
              {
                name: "input";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: { name: "UpdateUserInput"; kind: "INPUT_OBJECT"; ofType: null };
                };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "User"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INTERFACE";
        name: "Node";
        fields: [
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: [
          { kind: "OBJECT"; name: "Comment"; ofType: null },
          { kind: "OBJECT"; name: "Membership"; ofType: null },
          { kind: "OBJECT"; name: "Organization"; ofType: null },
          { kind: "OBJECT"; name: "Placement"; ofType: null },
          { kind: "OBJECT"; name: "Region"; ofType: null },
          { kind: "OBJECT"; name: "Resource"; ofType: null },
          { kind: "OBJECT"; name: "User"; ofType: null },
        ];
      },
      {
        kind: "OBJECT";
        name: "Organization";
        fields: [
          { name: "bytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          {
            name: "createdAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          { name: "deletingAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "invitations";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "InvitationConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          { name: "lastActivityAt"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          {
            name: "memberCount";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "members";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "name"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "role"; type: { kind: "ENUM"; name: "Role"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "OrganizationMembersConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "placements";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "resources";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "ResourceConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "updatedAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "viewerMay";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Action"; kind: "ENUM"; ofType: null } };
              };
            };
          },
          { name: "viewerRole"; args: []; type: { kind: "ENUM"; name: "Role"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [{ kind: "INTERFACE"; name: "Node"; ofType: null }];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "OrganizationConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "OrganizationEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "OrganizationEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "OrganizationMembersConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "OrganizationMembersEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "OrganizationMembersEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Membership"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Overview";
        fields: [
          {
            name: "at";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "attention";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Attention"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          { name: "homeCoordinates"; args: []; type: { kind: "OBJECT"; name: "Coordinates"; ofType: null } },
          {
            name: "jobs";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "JobCounts"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "links";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "LinkCounts"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "moreAttention";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "organizations";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "placements";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "regions";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "RegionOverview"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "users";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "version";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "PageInfo";
        fields: [
          { name: "endCursor"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "hasNextPage";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "hasPreviousPage";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "startCursor"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Placement";
        fields: [
          { name: "bytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          {
            name: "content";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PlacementContent"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "createdAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "crossed";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: { kind: "OBJECT"; name: "BorderCrossingConnection"; ofType: null };
          },
          {
            name: "database";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "dropAfter"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          { name: "failure"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "isolation";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Isolation"; kind: "ENUM"; ofType: null } };
          },
          {
            name: "links";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Link"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "organization";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "region";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Region"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "replication";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ReplicationStatus"; kind: "OBJECT"; ofType: null } };
          },
          { name: "schemaVersion"; args: []; type: { kind: "SCALAR"; name: "Int"; ofType: null } },
          {
            name: "state";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PlacementState"; kind: "ENUM"; ofType: null } };
          },
          {
            name: "updatedAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [{ kind: "INTERFACE"; name: "Node"; ofType: null }];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "PlacementConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "PlacementEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "PlacementContent";
        fields: [
          { name: "problem"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "tables";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "PlacementTable"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "PlacementEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "PlacementState";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [
          { name: "ACTIVE" },
          { name: "FAILED" },
          { name: "MOVING" },
          { name: "PROVISIONING" },
          { name: "REVOKING" },
          { name: "SUSPENDED" },
        ];
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "PlacementStateCount";
        fields: [
          {
            name: "placements";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "state";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PlacementState"; kind: "ENUM"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "PlacementTable";
        fields: [
          { name: "bytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          {
            name: "columns";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          {
            name: "flows";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "isExact";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "rows"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Query";
        fields: [
          {
            name: "apiKeys";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "organizationId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ApiKeyConnection"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "auditLog";
            args: [
              { name: "action"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "from"; type: { kind: "SCALAR"; name: "DateTime"; ofType: null }; defaultValue: null },
              {
                name: "leaveOutUnavailable";
                type: { kind: "SCALAR"; name: "Boolean"; ofType: null };
                defaultValue: null;
              },
              { name: "organizationId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
              { name: "subjectId"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "to"; type: { kind: "SCALAR"; name: "DateTime"; ofType: null }; defaultValue: null },
              { name: "who"; type: { kind: "ENUM"; name: "AuditActor"; ofType: null }; defaultValue: null },
              { name: "whoId"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "AuditLogConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "border";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Border"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "fleet";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Fleet"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "job";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "OBJECT"; name: "Job"; ofType: null };
          },
          {
            name: "jobKinds";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "JobKind"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "jobs";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "failing"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "kind"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "organizationId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
              { name: "placementId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
              { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "state"; type: { kind: "ENUM"; name: "JobState"; ofType: null }; defaultValue: null },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "JobConnection"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "links";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "state"; type: { kind: "ENUM"; name: "LinkState"; ofType: null }; defaultValue: null },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "LinkConnection"; kind: "OBJECT"; ofType: null } };
          },
          { name: "me"; args: []; type: { kind: "OBJECT"; name: "User"; ofType: null } },
          {
            name: "node";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "INTERFACE"; name: "Node"; ofType: null };
          },
          {
            name: "nodes";
            args: [
              {
                name: "ids";
                type: {
                  kind: "NON_NULL";
                  name: null;
                  ofType: {
                    name: null;
                    kind: "LIST";
                    ofType: { name: null; kind: "NON_NULL"; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                  };
                };
                defaultValue: null;
              },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: null; kind: "LIST"; ofType: { name: "Node"; kind: "INTERFACE"; ofType: null } };
            };
          },
          {
            name: "organization";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "OBJECT"; name: "Organization"; ofType: null };
          },
          {
            name: "organizationDeletionPlan";
            args: [
              {
                name: "organizationId";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ActionPlan"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "organizations";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "search"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "OrganizationConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "overview";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Overview"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "placement";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "OBJECT"; name: "Placement"; ofType: null };
          },
          {
            name: "placements";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "schemaVersion"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "state"; type: { kind: "ENUM"; name: "PlacementState"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "PlacementConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "region";
            args: [
              {
                name: "key";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "OBJECT"; name: "Region"; ofType: null };
          },
          {
            name: "regionRetirementPlan";
            args: [
              {
                name: "key";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ActionPlan"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "regions";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "Region"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "replication";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Replication"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "resource";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "OBJECT"; name: "Resource"; ofType: null };
          },
          {
            name: "resources";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
              { name: "organizationId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null },
              { name: "regionKey"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "ResourceConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "revocationPlan";
            args: [
              {
                name: "placementId";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ActionPlan"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "user";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "OBJECT"; name: "User"; ofType: null };
          },
          {
            name: "users";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "email"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "UserConnection"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "viewer";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Viewer"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Region";
        fields: [
          { name: "coordinates"; args: []; type: { kind: "OBJECT"; name: "Coordinates"; ofType: null } },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "key";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "placements";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "RegionPlacementsConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "server";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "RegionServer"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [{ kind: "INTERFACE"; name: "Node"; ofType: null }];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "RegionOverview";
        fields: [
          {
            name: "failingJobs";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "links";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "LinkCounts"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "placements";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          { name: "problem"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "reachable";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "region";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Region"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "states";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "PlacementStateCount"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "RegionPlacementsConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "RegionPlacementsEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "RegionPlacementsEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "RegionServer";
        fields: [
          {
            name: "advice";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
              };
            };
          },
          { name: "answersSince"; args: []; type: { kind: "SCALAR"; name: "DateTime"; ofType: null } },
          { name: "clockAheadSeconds"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          {
            name: "headroom";
            args: [];
            type: {
              kind: "LIST";
              name: null;
              ofType: {
                name: null;
                kind: "NON_NULL";
                ofType: { name: "ServerHeadroom"; kind: "OBJECT"; ofType: null };
              };
            };
          },
          {
            name: "host";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "isCarried"; args: []; type: { kind: "SCALAR"; name: "Boolean"; ofType: null } },
          { name: "poolUrl"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "port";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          { name: "problem"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "reachable";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "subscriptionMethod"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "version"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "RegisterRegionInput";
        fields: null;
        inputFields: [
          {
            name: "connectionUrl";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "coordinates";
            type: { kind: "INPUT_OBJECT"; name: "CoordinatesInput"; ofType: null };
            defaultValue: null;
          },
          {
            name: "key";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "name";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "poolUrl"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "RemoveOrganizationMemberInput";
        fields: null;
        inputFields: [
          {
            name: "organizationId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "userId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "RenameOrganizationInput";
        fields: null;
        inputFields: [
          {
            name: "name";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "organizationId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Replication";
        fields: [
          {
            name: "databases";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "ReplicationDatabaseConnection"; kind: "OBJECT"; ofType: null };
            };
          },
          {
            name: "servers";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "ReplicationServer"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ReplicationDatabase";
        fields: [
          {
            name: "database";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "flows";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "ReplicationFlow"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          { name: "region"; args: []; type: { kind: "OBJECT"; name: "Region"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ReplicationDatabaseConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "ReplicationDatabaseEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ReplicationDatabaseEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "ReplicationDatabase"; kind: "OBJECT"; ofType: null };
            };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ReplicationFlow";
        fields: [
          {
            name: "direction";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "healthy";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "lagBytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          { name: "lagSeconds"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          {
            name: "parked";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "problem"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          { name: "retainedBytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ReplicationServer";
        fields: [
          {
            name: "headroom";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "ServerHeadroom"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "problem"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
          {
            name: "reachable";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ReplicationStatus";
        fields: [
          {
            name: "healthy";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "lagBytes"; args: []; type: { kind: "SCALAR"; name: "Float"; ofType: null } },
          {
            name: "parked";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Resource";
        fields: [
          {
            name: "comments";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "CommentConnection"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "createdAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          { name: "createdBy"; args: []; type: { kind: "OBJECT"; name: "User"; ofType: null } },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          { name: "organization"; args: []; type: { kind: "OBJECT"; name: "Organization"; ofType: null } },
          { name: "region"; args: []; type: { kind: "OBJECT"; name: "Region"; ofType: null } },
          {
            name: "updatedAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [{ kind: "INTERFACE"; name: "Node"; ofType: null }];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ResourceConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "ResourceEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ResourceEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Resource"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "RetireRegionInput";
        fields: null;
        inputFields: [
          { name: "abandonServer"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: "false" },
          {
            name: "key";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "RetriedJob";
        fields: [
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          { name: "job"; args: []; type: { kind: "OBJECT"; name: "Job"; ofType: null } },
          { name: "refusal"; args: []; type: { kind: "SCALAR"; name: "String"; ofType: null } },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "RevokeRegionAccessInput";
        fields: null;
        inputFields: [
          {
            name: "confirm";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "exportFirst"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: "false" },
          {
            name: "placementId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "skipGrace"; type: { kind: "SCALAR"; name: "Boolean"; ofType: null }; defaultValue: "false" },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "Role";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [{ name: "ADMIN" }, { name: "MEMBER" }, { name: "OWNER" }, { name: "VIEWER" }];
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "ServerHeadroom";
        fields: [
          {
            name: "limit";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "setting";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "used";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Int"; kind: "SCALAR"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "ENUM";
        name: "Severity";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: [{ name: "ERROR" }, { name: "NOTICE" }, { name: "WARNING" }];
        possibleTypes: null;
      },
      {
        kind: "SCALAR";
        name: "String";
        fields: null;
        inputFields: null;
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Subscription";
        fields: [
          {
            name: "commentAdded";
            args: [
              {
                name: "resourceId";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Comment"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "jobChanged";
            args: [{ name: "organizationId"; type: { kind: "SCALAR"; name: "ID"; ofType: null }; defaultValue: null }];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Job"; kind: "OBJECT"; ofType: null } };
          },
          {
            name: "placementChanged";
            args: [
              {
                name: "id";
                type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
                defaultValue: null;
              },
            ];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Placement"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "TransferOwnershipInput";
        fields: null;
        inputFields: [
          {
            name: "organizationId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "userId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "UpdateCommentInput";
        fields: null;
        inputFields: [
          {
            name: "body";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          {
            name: "commentId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "UpdateRegionInput";
        fields: null;
        inputFields: [
          { name: "connectionUrl"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
          {
            name: "coordinates";
            type: { kind: "INPUT_OBJECT"; name: "CoordinatesInput"; ofType: null };
            defaultValue: null;
          },
          {
            name: "key";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "name"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
          { name: "poolUrl"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "UpdateResourceInput";
        fields: null;
        inputFields: [
          { name: "name"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
          {
            name: "resourceId";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "INPUT_OBJECT";
        name: "UpdateUserInput";
        fields: null;
        inputFields: [
          { name: "email"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
          {
            name: "id";
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
            defaultValue: null;
          },
          { name: "name"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
        ];
        interfaces: null;
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "User";
        fields: [
          {
            name: "createdAt";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "DateTime"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "email";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "id";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "ID"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "name";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "organizations";
            args: [
              { name: "after"; type: { kind: "SCALAR"; name: "String"; ofType: null }; defaultValue: null },
              { name: "first"; type: { kind: "SCALAR"; name: "Int"; ofType: null }; defaultValue: null },
            ];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: { name: "UserOrganizationsConnection"; kind: "OBJECT"; ofType: null };
            };
          },
        ];
        inputFields: null;
        interfaces: [{ kind: "INTERFACE"; name: "Node"; ofType: null }];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "UserConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: { name: null; kind: "NON_NULL"; ofType: { name: "UserEdge"; kind: "OBJECT"; ofType: null } };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "UserEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "User"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "UserOrganizationsConnection";
        fields: [
          {
            name: "edges";
            args: [];
            type: {
              kind: "NON_NULL";
              name: null;
              ofType: {
                name: null;
                kind: "LIST";
                ofType: {
                  name: null;
                  kind: "NON_NULL";
                  ofType: { name: "UserOrganizationsEdge"; kind: "OBJECT"; ofType: null };
                };
              };
            };
          },
          {
            name: "pageInfo";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "PageInfo"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "UserOrganizationsEdge";
        fields: [
          {
            name: "cursor";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "String"; kind: "SCALAR"; ofType: null } };
          },
          {
            name: "node";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Organization"; kind: "OBJECT"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
      {
        kind: "OBJECT";
        name: "Viewer";
        fields: [
          { name: "organization"; args: []; type: { kind: "OBJECT"; name: "Organization"; ofType: null } },
          {
            name: "readOnly";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "Boolean"; kind: "SCALAR"; ofType: null } };
          },
          { name: "user"; args: []; type: { kind: "OBJECT"; name: "User"; ofType: null } },
          {
            name: "via";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "AuditVia"; kind: "ENUM"; ofType: null } };
          },
          {
            name: "who";
            args: [];
            type: { kind: "NON_NULL"; name: null; ofType: { name: "AuditActor"; kind: "ENUM"; ofType: null } };
          },
        ];
        inputFields: null;
        interfaces: [];
        enumValues: null;
        possibleTypes: null;
      },
    ];
  };
};
