/* postgres_libpq.h - libpq, loaded when the first PostgreSQL URL is opened.
 *
 * Why not linked: libpq brings some twenty libraries with it (TLS, Kerberos, LDAP), and their start
 * costs every program four milliseconds, also those that only have SQLite. So a program that never
 * says postgres:// neither needs libpq installed nor pays for it. The functions are called through
 * a table, which costs what a call through the PLT does.
 *
 * The ABI is that of libpq.so.5, since 2005. Source: PostgreSQL 15 manual, chapter 34.
 */
#ifndef PXI_DRIVER_POSTGRES_LIBPQ_H
#define PXI_DRIVER_POSTGRES_LIBPQ_H
#include "orm/base/error.h"
#include <libpq-fe.h>

/* Every function of libpq that the driver calls. */
// clang-format off
#define PXI_LIBPQ(X) \
    X(PQcancel) X(PQclear) X(PQcmdStatus) X(PQcmdTuples) X(PQconndefaults) X(PQconnectPoll) \
    X(PQconnectStartParams) X(PQconnectdbParams) X(PQconninfoFree) X(PQconninfoParse) \
    X(PQconsumeInput) X(PQcopyResult) X(PQenterPipelineMode) X(PQerrorMessage) \
    X(PQexitPipelineMode) X(PQfinish) X(PQflush) X(PQfname) X(PQfreeCancel) X(PQfreemem) \
    X(PQftype) X(PQgetCancel) X(PQgetCopyData) X(PQgetResult) X(PQgetisnull) X(PQgetlength) \
    X(PQgetvalue) X(PQgssEncInUse) X(PQisBusy) X(PQnfields) X(PQnparams) X(PQntuples) \
    X(PQparameterStatus) X(PQparamtype) X(PQpipelineSync) X(PQputCopyData) X(PQputCopyEnd) \
    X(PQresultErrorField) X(PQresultErrorMessage) X(PQresultMemorySize) X(PQresultStatus) \
    X(PQsendDescribePrepared) X(PQsendPrepare) X(PQsendQuery) X(PQsendQueryParams) \
    X(PQsendQueryPrepared) X(PQserverVersion) X(PQsetNoticeReceiver) X(PQsetSingleRowMode) \
    X(PQsetnonblocking) X(PQsetvalue) X(PQsocket) X(PQsslInUse) X(PQstatus) \
    X(PQtransactionStatus)
// clang-format on
/* Of newer ones than the oldest that will do: NULL where this libpq has none. */
#ifdef LIBPQ_HAS_CHUNK_MODE
#define PXI_LIBPQ_NEWER(X) X(PQsetChunkedRowsMode) /* 17 */
#else
#define PXI_LIBPQ_NEWER(X)
#endif

struct pxi_libpq {
#define PXI_LIBPQ_MEMBER(f) __typeof__(f) *f; // NOLINT(bugprone-macro-parentheses)
    PXI_LIBPQ(PXI_LIBPQ_MEMBER) PXI_LIBPQ_NEWER(PXI_LIBPQ_MEMBER)
#undef PXI_LIBPQ_MEMBER
};
extern struct pxi_libpq pxi_libpq;

/* Loads it, the first time. 0; EUNSUPPORTED, which says what to install. Any thread. */
int pxi_libpq_load(struct pxi_error *err);

#ifndef PXI_LIBPQ_PLAIN /* the table's own file calls nothing */
#define PQcancel               pxi_libpq.PQcancel
#define PQclear                pxi_libpq.PQclear
#define PQcmdStatus            pxi_libpq.PQcmdStatus
#define PQcmdTuples            pxi_libpq.PQcmdTuples
#define PQconndefaults         pxi_libpq.PQconndefaults
#define PQconnectPoll          pxi_libpq.PQconnectPoll
#define PQconnectStartParams   pxi_libpq.PQconnectStartParams
#define PQconnectdbParams      pxi_libpq.PQconnectdbParams
#define PQconninfoFree         pxi_libpq.PQconninfoFree
#define PQconninfoParse        pxi_libpq.PQconninfoParse
#define PQconsumeInput         pxi_libpq.PQconsumeInput
#define PQcopyResult           pxi_libpq.PQcopyResult
#define PQenterPipelineMode    pxi_libpq.PQenterPipelineMode
#define PQerrorMessage         pxi_libpq.PQerrorMessage
#define PQexitPipelineMode     pxi_libpq.PQexitPipelineMode
#define PQfinish               pxi_libpq.PQfinish
#define PQflush                pxi_libpq.PQflush
#define PQfname                pxi_libpq.PQfname
#define PQfreeCancel           pxi_libpq.PQfreeCancel
#define PQfreemem              pxi_libpq.PQfreemem
#define PQftype                pxi_libpq.PQftype
#define PQgetCancel            pxi_libpq.PQgetCancel
#define PQgetCopyData          pxi_libpq.PQgetCopyData
#define PQgetResult            pxi_libpq.PQgetResult
#define PQgetisnull            pxi_libpq.PQgetisnull
#define PQgetlength            pxi_libpq.PQgetlength
#define PQgetvalue             pxi_libpq.PQgetvalue
#define PQgssEncInUse          pxi_libpq.PQgssEncInUse
#define PQisBusy               pxi_libpq.PQisBusy
#define PQnfields              pxi_libpq.PQnfields
#define PQnparams              pxi_libpq.PQnparams
#define PQntuples              pxi_libpq.PQntuples
#define PQparameterStatus      pxi_libpq.PQparameterStatus
#define PQparamtype            pxi_libpq.PQparamtype
#define PQpipelineSync         pxi_libpq.PQpipelineSync
#define PQputCopyData          pxi_libpq.PQputCopyData
#define PQputCopyEnd           pxi_libpq.PQputCopyEnd
#define PQresultErrorField     pxi_libpq.PQresultErrorField
#define PQresultErrorMessage   pxi_libpq.PQresultErrorMessage
#define PQresultMemorySize     pxi_libpq.PQresultMemorySize
#define PQresultStatus         pxi_libpq.PQresultStatus
#define PQsendDescribePrepared pxi_libpq.PQsendDescribePrepared
#define PQsendPrepare          pxi_libpq.PQsendPrepare
#define PQsendQuery            pxi_libpq.PQsendQuery
#define PQsendQueryParams      pxi_libpq.PQsendQueryParams
#define PQsendQueryPrepared    pxi_libpq.PQsendQueryPrepared
#define PQserverVersion        pxi_libpq.PQserverVersion
#define PQsetNoticeReceiver    pxi_libpq.PQsetNoticeReceiver
#define PQsetSingleRowMode     pxi_libpq.PQsetSingleRowMode
#define PQsetnonblocking       pxi_libpq.PQsetnonblocking
#define PQsetvalue             pxi_libpq.PQsetvalue
#define PQsocket               pxi_libpq.PQsocket
#define PQsslInUse             pxi_libpq.PQsslInUse
#define PQstatus               pxi_libpq.PQstatus
#define PQtransactionStatus    pxi_libpq.PQtransactionStatus
#endif

#endif
