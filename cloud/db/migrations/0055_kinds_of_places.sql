-- What cameras tell of places: litter and overflowing bins are exposed rubbish (暴露垃圾), somebody who has fallen needs help (紧急求助).
-- depends: 0054_unended_clocks

update case_category set kinds = kinds || '{litter,bin_overflow}' where code = 'E0101';
update case_category set kinds = kinds || '{fallen_person}' where code = 'E0504';
update grid_case c set category_code = k.code from case_category k
where c.category_code is null and c.kind in ('litter', 'bin_overflow', 'fallen_person') and c.kind = any(k.kinds);
