update case_category set kinds = array_remove(array_remove(kinds, 'litter'), 'bin_overflow') where code = 'E0101';
update case_category set kinds = array_remove(kinds, 'fallen_person') where code = 'E0504';
