/* balance.c - see balance.h.
 *
 * First greedily: the move that evens out most, again and again. What comes of it is never worse than before: a move
 * goes from the busier of two workers to the less busy one and leaves them closer. Then, if greed took more moves than
 * the least conceivable number, or did not get there, a search for plans of one, two, three ... moves, of bounded
 * effort. So where the search ends in time the plan has the fewest moves that there can be. Where greed does not get
 * there, a plan is made only if it is worth it: a band's worth of unevenness for each move that was searched for, and
 * for all those together that greed found. Otherwise measurements that waver would keep something moving for ever.
 */
#include "balance.h"

#include <string.h>

#define SEARCH_LOOKS 100000 /* at items: half a millisecond */
#define SEARCH_DEPTH 6      /* moves; beyond it the looks would not last */

struct state {
    const struct nb_balance_input *in;
    uint32_t load[NB_MAX_WORKERS];
    uint32_t mean, goal; /* within so much of the mean, it is done */
    uint64_t uneven;     /* at first: how far all are from the mean, together */
    uint32_t worth;      /* of that, a move must take away at least so much */
    unsigned rules;      /* left */
    int looks;           /* of the search, left */
    unsigned n_moves;
    struct nb_balance_move move[NB_BALANCE_MOVES_MAX];
};

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

static bool takes_part(const struct state *s, unsigned worker)
{
    return worker < s->in->n_workers && !s->in->away[worker];
}

static uint32_t mean_of(const struct state *s)
{
    uint64_t sum = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < s->in->n_workers; i++)
        if (takes_part(s, i)) {
            sum += s->load[i];
            n++;
        }
    return n ? (uint32_t)(sum / n) : 0;
}

static uint32_t spread_of(const struct state *s)
{
    uint32_t most = 0, least = UINT32_MAX;

    for (unsigned i = 0; i < s->in->n_workers; i++)
        if (takes_part(s, i)) {
            most = s->load[i] > most ? s->load[i] : most;
            least = s->load[i] < least ? s->load[i] : least;
        }
    return most > least ? most - least : 0;
}

static bool all_within(const struct state *s, uint32_t limit)
{
    for (unsigned i = 0; i < s->in->n_workers; i++)
        if (takes_part(s, i) && distance(s->load[i], s->mean) > limit)
            return false;
    return true;
}

static uint64_t uneven(const struct state *s)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < s->in->n_workers; i++)
        if (takes_part(s, i))
            sum += distance(s->load[i], s->mean);
    return sum;
}

static bool was_moved(const struct state *s, unsigned item)
{
    for (unsigned i = 0; i < s->n_moves; i++)
        if (s->move[i].item == item)
            return true;
    return false;
}

/* Does a flow have a rule at this worker? */
static int rule_for(const struct nb_balance_item *item, unsigned worker)
{
    return item->kind == NB_BALANCE_FLOW && item->home != worker && !item->cannot_rule;
}

/* Is there a rule for it, if it needs one? It may bring its own. */
static bool has_rule(const struct state *s, const struct nb_balance_item *item, unsigned to)
{
    if (item->cannot_rule)
        return to == item->home;
    return (int)s->rules - rule_for(item, to) + rule_for(item, item->worker) >= 0;
}

static bool movable(const struct state *s, unsigned i)
{
    const struct nb_balance_item *item = &s->in->item[i];

    return item->load && takes_part(s, item->worker) && s->load[item->worker] >= item->load && !was_moved(s, i);
}

static void push(struct state *s, unsigned i, unsigned to)
{
    const struct nb_balance_item *item = &s->in->item[i];

    s->load[item->worker] -= item->load;
    s->load[to] += item->load;
    s->rules += (unsigned)(rule_for(item, item->worker) - rule_for(item, to));
    s->move[s->n_moves++] = (struct nb_balance_move){.item = i, .to = (uint16_t)to};
}

static void pop(struct state *s)
{
    struct nb_balance_move last = s->move[--s->n_moves];
    const struct nb_balance_item *item = &s->in->item[last.item];

    s->load[item->worker] += item->load;
    s->load[last.to] -= item->load;
    s->rules -= (unsigned)(rule_for(item, item->worker) - rule_for(item, last.to));
}

/* --- greedily ---------------------------------------------------------------------------------------------------- */

/* How much more even two workers are after this move, as the sum of squares sees it (halved); 0: it is not to be made.
 */
static uint64_t gain(const struct state *s, const struct nb_balance_item *item, unsigned to)
{
    uint32_t from_load = s->load[item->worker], to_load = s->load[to];
    uint32_t least = s->in->band > 0 ? s->in->band : 1;

    if (to == item->worker || !takes_part(s, to) || !has_rule(s, item, to) || from_load < to_load + item->load + least)
        return 0;
    return (uint64_t)item->load * (from_load - to_load - item->load);
}

static unsigned idlest(const struct state *s)
{
    unsigned best = s->in->n_workers;

    for (unsigned i = 0; i < s->in->n_workers; i++)
        if (takes_part(s, i) && (best == s->in->n_workers || s->load[i] < s->load[best]))
            best = i;
    return best;
}

/* The best move there is. A flow without a rule can still go home. */
static bool best_move(const struct state *s, struct nb_balance_move *best)
{
    uint64_t most = 0;
    unsigned least = idlest(s);

    for (unsigned i = 0; i < s->in->n_items; i++) {
        const struct nb_balance_item *item = &s->in->item[i];
        const unsigned to[] = {least, item->kind == NB_BALANCE_FLOW ? item->home : least};

        for (unsigned k = 0; k < 2 && movable(s, i); k++) {
            uint64_t g = gain(s, item, to[k]);

            if (g > most) {
                most = g;
                *best = (struct nb_balance_move){.item = i, .to = (uint16_t)to[k]};
            }
        }
    }
    return most > 0;
}

static void be_greedy(struct state *s)
{
    struct nb_balance_move best;

    while (s->n_moves < NB_BALANCE_MOVES_MAX && !all_within(s, s->goal) && best_move(s, &best))
        push(s, best.item, best.to);
}

/* --- searching ---------------------------------------------------------------------------------------------------- */

/* No plan has fewer moves: whoever is too busy must give something, whoever is too idle must get something. */
static unsigned least_moves(const struct state *s)
{
    unsigned busy = 0, idle = 0;

    for (unsigned i = 0; i < s->in->n_workers; i++)
        if (takes_part(s, i) && distance(s->load[i], s->mean) > s->goal)
            s->load[i] > s->mean ? busy++ : idle++;
    return busy > idle ? busy : idle;
}

/* The worker that is furthest from the mean: a move to or from it is in every plan. */
static unsigned furthest(const struct state *s)
{
    unsigned worst = 0;
    uint32_t far = 0;

    for (unsigned i = 0; i < s->in->n_workers; i++)
        if (takes_part(s, i) && distance(s->load[i], s->mean) >= far) {
            far = distance(s->load[i], s->mean);
            worst = i;
        }
    return worst;
}

static bool search(struct state *s, unsigned depth);

static bool try_move(struct state *s, unsigned item, unsigned to, unsigned depth)
{
    if (to == s->in->item[item].worker || !takes_part(s, to) || !has_rule(s, &s->in->item[item], to))
        return false;
    push(s, item, to);
    if (search(s, depth - 1))
        return true;
    pop(s);
    return false;
}

/* Can so many moves more do it? Every item of the worst worker to every other, or every other's items to it. */
static bool search(struct state *s, unsigned depth)
{
    unsigned needed = least_moves(s), worst = furthest(s);
    bool gives = s->load[worst] > s->mean;

    if (needed == 0)
        return uneven(s) + (uint64_t)s->worth * s->n_moves <= s->uneven;
    if (needed > depth)
        return false;
    for (unsigned i = 0; i < s->in->n_items && s->looks > 0; i++, s->looks--) {
        if (!movable(s, i) || gives != (s->in->item[i].worker == worst))
            continue;
        for (unsigned to = gives ? 0 : worst; to < (gives ? s->in->n_workers : worst + 1); to++)
            if (try_move(s, i, to, depth))
                return true;
    }
    return false;
}

/* A plan with at most so many moves that reaches the goal, shortest first. */
static bool find_shorter(struct state *s, unsigned most)
{
    s->looks = SEARCH_LOOKS;
    for (unsigned depth = least_moves(s); depth <= most && s->looks > 0; depth++)
        if (search(s, depth))
            return true;
    return false;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static void begin(struct state *s, const struct nb_balance_input *input)
{
    s->in = input;
    memcpy(s->load, input->load, sizeof s->load);
    s->rules = input->rules;
    s->mean = mean_of(s);
    s->goal = input->band / 2;
    s->uneven = uneven(s);
    s->n_moves = 0;
}

static void conclude(const struct state *s, struct nb_balance_plan *plan)
{
    memcpy(plan->move, s->move, s->n_moves * sizeof s->move[0]);
    memcpy(plan->after, s->load, sizeof plan->after);
    plan->n_moves = s->n_moves;
    plan->mean = s->mean;
    plan->spread_after = spread_of(s);
}

void nb_balance_plan(const struct nb_balance_input *input, struct nb_balance_plan *plan)
{
    struct state at_first = {0}, greedy, searched;

    begin(&at_first, input);
    greedy = searched = at_first;
    *plan = (struct nb_balance_plan){.spread_before = spread_of(&at_first)};
    if (all_within(&at_first, input->band)) {
        conclude(&at_first, plan);
        return;
    }
    be_greedy(&greedy);
    bool there = all_within(&greedy, greedy.goal);
    unsigned most = there && greedy.n_moves ? greedy.n_moves - 1 : SEARCH_DEPTH;
    searched.worth = there ? 0 : input->band;
    if (find_shorter(&searched, most < SEARCH_DEPTH ? most : SEARCH_DEPTH))
        conclude(&searched, plan);
    else if (there || uneven(&greedy) + input->band <= greedy.uneven)
        conclude(&greedy, plan);
    else
        conclude(&at_first, plan);
}
