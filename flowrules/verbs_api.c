/* verbs_api.c - the real libibverbs. The only file that refers to its symbols. */
#include <infiniband/verbs.h>

#include <netbypass/backend.h>

struct nb_verbs_api nb_verbs_api_real(void)
{
    return (struct nb_verbs_api){
        .alloc_pd = ibv_alloc_pd,
        .dealloc_pd = ibv_dealloc_pd,
        .create_cq = ibv_create_cq,
        .destroy_cq = ibv_destroy_cq,
        .create_qp = ibv_create_qp,
        .modify_qp = ibv_modify_qp,
        .destroy_qp = ibv_destroy_qp,
    };
}
