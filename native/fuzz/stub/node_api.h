// In place of Node's header: the hot path's own files know of JavaScript no more than these names.

#ifndef ESPALIER_FUZZ_NODE_API_H
#define ESPALIER_FUZZ_NODE_API_H

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;

#endif
